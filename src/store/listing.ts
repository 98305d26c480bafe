import type { ClientBase } from 'pg';
import { concat, fromHex } from '../audit/bytes.js';
import { decodeLeaf } from '../audit/leaves.js';
import { encodeListingHead, type ListingHead, listedBytes } from '../audit/replay/listing.js';
import { LegonetError } from '../errors.js';
import { copyStream, type RawRow } from './copy.js';
import { readAdapterRows } from './evidence.js';
import { indexOf, readHead } from './tlog.js';

/*
 * What auditors get of the version in service, read in one snapshot (REPEATABLE READ): its samples are those that
 * the projection has from before the version's cut, as long as none of them has gone since.
 */

/** The newest version, and which samples it has, as a condition in SQL. */
export type AuditedVersion = {
  readonly version: number;
  readonly retained: number;
  readonly members: string;
};

type VersionRow = {
  version: number;
  leaf: Buffer | null;
  leaf_batch: bigint | null;
  cut: Record<string, string>;
};

/**
 * Throws `no_version` before there is one, and `listing_not_ready` (retryable) while a newer one is on its way:
 * it is not signed yet, or a sample of it has gone since its cut.
 */
export async function auditedVersion(client: ClientBase): Promise<AuditedVersion> {
  const { rows } = await client.query<VersionRow>(
    'SELECT version, leaf, leaf_batch, cut FROM versions ORDER BY version DESC LIMIT 1',
  );
  const [row] = rows;
  if (!row) throw new LegonetError('no_version', 'no version yet: run `legonet start`');
  const leaf = row.leaf && decodeLeaf(row.leaf);
  if (leaf?.kind !== 'version' || row.leaf_batch === null) {
    throw new LegonetError('no_version', `version ${row.version} is older than the audit log`);
  }
  const { signedSize } = await readHead(client);
  const index = await indexOf(client, row.leaf_batch, 0);
  if (index === null || index >= signedSize) throw notReady('the newest version is not signed yet');
  const before = (partition: string, position: string) =>
    Object.entries(row.cut)
      .map(([p, at]) => `(${partition} = ${Number(p)} AND ${position} < ${BigInt(at)})`)
      .join(' OR ') || 'false';
  const members = before('partition', 'position');
  const counts = await client.query<{ gone: boolean; moved: boolean; count: bigint }>(
    `SELECT EXISTS (SELECT FROM removals
                    WHERE commitment IS NOT NULL AND NOT (${members}) AND (${before('content_partition', 'content_position')})) AS gone,
            EXISTS (SELECT FROM placement WHERE generation <> built)
              OR EXISTS (SELECT FROM samples WHERE unplaced AND (${members})) AS moved,
            (SELECT count(*) FROM samples WHERE ${members}) AS count`,
  );
  const [found] = counts.rows;
  if (found?.gone !== false || found.moved || found.count !== leaf.retained) {
    throw notReady(
      'samples of the newest version have gone or moved, and the next one is being built',
    );
  }
  return { version: row.version, retained: Number(found.count), members };
}

const notReady = (reason: string): LegonetError =>
  new LegonetError('listing_not_ready', `${reason}: try again in a moment`, 'retryable');

/** The listing of the version, byte for byte as audit/replay/listing.ts reads it, piece by piece. */
export async function* listingOf(
  client: ClientBase,
  { version, retained, members }: AuditedVersion,
): AsyncGenerator<Uint8Array> {
  const adapters = (await readAdapterRows(client)).map(({ version: builtIn, digest }) => ({
    builtIn,
    weights: fromHex(digest),
  }));
  const model = await client.query<{ activated: number }>(
    `SELECT (configuration ->> 'activated')::int AS activated FROM model`,
  );
  const activated = model.rows[0]?.activated ?? 0;
  const head: ListingHead = { version, adapters, activated, retained };
  yield encodeListingHead(head);
  const select = `SELECT commitment, sha256('legonet.membership-salt.v1\\012'::bytea || salt),
                         array_send(adapters)
                  FROM samples WHERE ${members} ORDER BY commitment`;
  for await (const rows of copyStream(client, select)) {
    yield concat(...rows.map((row) => listedSample(row, activated)));
  }
}

function listedSample(row: RawRow, activated: number): Uint8Array {
  const [commitment, salt, array] = row;
  const bytes = new Uint8Array(listedBytes(activated));
  // As array_send writes it: 20 bytes, and then each element after its length.
  if (!commitment || !salt || array?.length !== 20 + 8 * activated) {
    throw new LegonetError('unsealed_sample', 'a sample has no commitment', 'stop');
  }
  bytes.set(commitment);
  bytes.set(salt, commitment.length);
  const ids = commitment.length + salt.length;
  for (let i = 0; i < activated; i++) {
    bytes.set(array.subarray(24 + 8 * i, 28 + 8 * i), ids + 4 * i);
  }
  return bytes;
}

/** A sample with what opens its commitment. */
export type AuditedSample = {
  readonly id: string;
  readonly label: number;
  readonly salt: Uint8Array;
  readonly encoding: Int8Array;
};

/** The samples of the version themselves. */
export async function* samplesOf(
  client: ClientBase,
  { members }: AuditedVersion,
): AsyncGenerator<AuditedSample[]> {
  const select = `SELECT sample_id, label, salt, encoding FROM samples WHERE ${members}
                  ORDER BY commitment`;
  for await (const rows of copyStream(client, select)) {
    yield rows.map(([id, label, salt, encoding]) => {
      if (!id || !label || !salt || !encoding) {
        throw new LegonetError('unsealed_sample', 'a sample has no commitment', 'stop');
      }
      return {
        id: id.toString('utf8'),
        label: label.readInt16BE(),
        salt,
        encoding: new Int8Array(encoding.buffer, encoding.byteOffset, encoding.length),
      };
    });
  }
}

/** Configuration, the stored bytes of its files, and what softmax adapters are trained on. */
export async function storedModel(client: ClientBase) {
  const { rows } = await client.query<{
    configuration: unknown;
    keys: Buffer | null;
    projection: Buffer | null;
    backend: unknown;
  }>('SELECT configuration, keys, projection, backend FROM model');
  const [row] = rows;
  if (row) return row;
  throw new LegonetError('no_model', 'no model yet: create one with `legonet init MODEL.json`');
}
