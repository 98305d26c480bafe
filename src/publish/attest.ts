import { fromHex, utf8 } from '../audit/bytes.js';
import { type Envelope, envelopeJson, IN_TOTO, signPayload } from '../audit/dsse.js';
import { leafHash } from '../audit/hash.js';
import { decodeLeaf } from '../audit/leaves.js';
import { provenancePayload } from '../audit/statement.js';
import { LegonetError } from '../errors.js';
import type { Backend } from '../model/backend.js';
import type { Database } from '../store/database.js';
import { packageVersion } from '../store/package-version.js';
import { fastSign } from './fast-sign.js';
import type { Signer } from './signer.js';

type Row = {
  version: number;
  parent: number | null;
  name: string;
  digest: string;
  cut: Record<string, string>;
  statement: string;
  intent: Buffer;
  started: Date;
  finished: Date;
  backend: Backend | null;
};

/** Signs what is stated of each version, unless it is signed; or `again`. DSSE envelopes of in-toto statements. */
export async function attestVersions(
  { pool }: Database,
  { key }: Signer,
  versions: readonly number[],
  again = false,
): Promise<void> {
  if (versions.length === 0) return;
  const { rows } = await pool.query<Row>(
    `SELECT version, parent, m.name, model_digest AS digest, cut, statement, intent,
            coalesce(started_at, v.created_at) AS started, v.created_at AS finished, m.backend
     FROM versions v CROSS JOIN model m
     WHERE version = ANY($1) AND statement IS NOT NULL AND (attestation IS NULL OR $2)`,
    [versions, again],
  );
  const keyid = key.id.toString(16).padStart(8, '0');
  const envelope = (payload: Uint8Array): Envelope => ({
    payloadType: IN_TOTO,
    payload,
    signatures: [
      { keyid, sig: signPayload(IN_TOTO, payload, (message) => fastSign(message, key.seed)) },
    ],
  });
  for (const row of rows) {
    const attestation = {
      unlearning: envelopeJson(envelope(utf8(row.statement))),
      provenance: envelopeJson(envelope(provenance(row))),
    };
    await pool.query('UPDATE versions SET attestation = $2 WHERE version = $1', [
      row.version,
      JSON.stringify(attestation),
    ]);
  }
}

function provenance(row: Row): Uint8Array {
  const intent = decodeLeaf(row.intent);
  if (intent.kind !== 'train-intent') {
    throw new LegonetError('tlog_corrupt', 'a version has no intent', 'stop');
  }
  return provenancePayload({
    name: row.name,
    model: fromHex(row.digest),
    version: row.version,
    parent: row.parent,
    cut: row.cut,
    config: intent.config,
    code: intent.code,
    intent: leafHash(row.intent),
    retained: { root: intent.retainedRoot, count: Number(intent.retained) },
    builder: { id: 'https://legonet.dev/builder/v1', version: packageVersion() },
    invocationId: `${row.digest}:${row.version}`,
    startedOn: row.started.toISOString(),
    finishedOn: row.finished.toISOString(),
    backend: row.backend,
  });
}
