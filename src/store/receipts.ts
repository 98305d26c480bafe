import { composeReceipt } from '../audit/certificate/receipt.js';
import { multiproofFromTiles } from '../audit/log/tile-proofs.js';
import { LegonetError } from '../errors.js';
import { type Database, type Queryable, transaction } from './database.js';
import { entryIndex, readKeys } from './evidence.js';
import { requireModel } from './model.js';
import { readHead, tileReader } from './tlog.js';

type Row = {
  label: number;
  encoding: Buffer;
  adapters: number[];
  salt: Buffer | null;
  batch: bigint | null;
  entry: number | null;
};

/**
 * The receipt of a live sample: what opens its commitment, and that the log has it. Throws `no_sample`,
 * `sample_deleted`, and `receipt_not_ready` (retryable) before its entry is signed.
 */
export function receiptOf({ pool }: Database, sampleId: string): Promise<string> {
  return transaction(
    pool,
    (client) => compose(client, sampleId),
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

async function compose(client: Queryable, sampleId: string): Promise<string> {
  const { configuration } = await requireModel(client);
  const { rows } = await client.query<Row>(
    `SELECT label, encoding, adapters, salt, leaf_batch AS batch, leaf_entry AS entry
     FROM samples WHERE sample_id = $1`,
    [sampleId],
  );
  const [row] = rows;
  if (!row) throw await notThere(client, sampleId);
  const { signedSize, checkpoint } = await readHead(client);
  const index = await entryIndex(client, row.batch, row.entry, signedSize);
  if (row.salt === null || index === null || checkpoint === null) {
    throw new LegonetError(
      'receipt_not_ready',
      'the sample’s entry in the audit log is not signed yet: try again in a moment',
      'retryable',
    );
  }
  const { vkey } = await readKeys(client, signedSize);
  const proof = await multiproofFromTiles([index], signedSize, tileReader(client));
  const opening = {
    salt: row.salt,
    id: sampleId,
    label: configuration.classes[row.label] ?? '',
    encoding: new Int8Array(row.encoding),
  };
  const origin = checkpoint.split('\n', 1)[0] ?? '';
  return composeReceipt(
    { adapters: row.adapters, checkpoint, index, opening, origin, proof },
    vkey,
  );
}

async function notThere(client: Queryable, sampleId: string): Promise<LegonetError> {
  const { rowCount } = await client.query('SELECT FROM tombstones WHERE sample_id = $1', [
    sampleId,
  ]);
  return rowCount
    ? new LegonetError(
        'sample_deleted',
        'the sample is deleted, and its salt with it: nobody can open its commitment any more, unless the ' +
          'producer has kept a receipt or gave the salt itself. See `legonet certificate`',
      )
    : new LegonetError('no_sample', 'no sample with this id is here');
}
