import type { Rotation } from '../audit/certificate/keys.js';
import { decodeLeaf } from '../audit/leaves.js';
import { parseBundle } from '../audit/log/bundle.js';
import { TILE_WIDTH } from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';
import type { Queryable } from './database.js';
import { indexOf, readBundle } from './tlog.js';

/** What is kept of a deleted sample. */
export type EvidenceRow = {
  readonly sample_id: string;
  readonly request_id: string;
  readonly request: Buffer;
  readonly commitment: Buffer;
  readonly membership_salt: Buffer;
  readonly adapters: number[];
  readonly ingest_batch: bigint;
  readonly ingest_entry: number;
  readonly delete_batch: bigint;
  readonly delete_entry: number;
  readonly applied_in: number | null;
  readonly held_in: number | null;
  readonly held_proof: Buffer | null;
  readonly erasure: string | null;
  readonly erase_batch: bigint | null;
  readonly erase_entry: number | null;
};

/** The evidence of the one sample that is meant. Throws what `certificateOf` does. */
export async function readEvidence(
  client: Queryable,
  { requestId, sampleId }: { readonly requestId: string; readonly sampleId?: string | undefined },
): Promise<EvidenceRow> {
  const { rows } = await client.query<EvidenceRow>(
    `SELECT * FROM evidence WHERE request_id = $1 AND ($2::text IS NULL OR sample_id = $2)
     ORDER BY sample_id LIMIT 2`,
    [requestId, sampleId ?? null],
  );
  const [row, another] = rows;
  if (!row) throw await nothingDeleted(client, requestId);
  if (!another) return row;
  throw new LegonetError(
    'several_deleted',
    'the request has deleted several samples: say of which one, with ?sample= or --sample',
  );
}

/** Why there is nothing to certify, said plainly. */
async function nothingDeleted(client: Queryable, requestId: string): Promise<LegonetError> {
  const { rows } = await client.query<{ removed: number }>(
    'SELECT sum(removed)::int AS removed FROM deletions WHERE request_id = $1 HAVING count(*) > 0',
    [requestId],
  );
  const [row] = rows;
  if (!row) return new LegonetError('no_deletion', 'no request has this id');
  const reason =
    row.removed > 0
      ? 'it deleted another sample than this one, or one that came before there was an audit log'
      : 'nothing that it names was there: it was never ingested, or another request had deleted it. ' +
        'What it names is refused should it come later';
  return new LegonetError(
    'nothing_deleted',
    `there is nothing to certify of this request: ${reason}`,
  );
}

export type RequestRow = {
  readonly request_id: string;
  readonly kind: 'sample' | 'subject';
  readonly target: string;
  readonly requested_at: bigint | null;
  readonly logged_at: bigint;
  readonly deadline: bigint;
  readonly salt: Buffer;
};

export async function readRequest(
  client: Queryable,
  { request_id, request }: EvidenceRow,
): Promise<RequestRow> {
  const { rows } = await client.query<RequestRow>(
    `SELECT request_id, kind, target, requested_at, logged_at, deadline, salt FROM deletions
     WHERE request_id = $1 AND commitment = $2`,
    [request_id, request],
  );
  const [row] = rows;
  if (row) return row;
  throw new LegonetError(
    'nothing_deleted',
    'the sample was deleted, and the request itself is not on record: only the log’s note of it was left',
  );
}

export type VersionRow = {
  readonly version: number;
  readonly leaf: Buffer;
  readonly leaf_batch: bigint;
  readonly intent: Buffer;
  readonly intent_batch: bigint;
  readonly statement: string;
  /** Over the statement, base64; null until it is signed. */
  readonly signature: string | null;
};

const VERSION = `SELECT version, leaf, leaf_batch, intent, intent_batch, statement,
  attestation -> 'unlearning' -> 'signatures' -> 0 ->> 'sig' AS signature FROM versions`;

/** The newest version, published or not; null before there is one, or if it has no entry. */
export async function readNewestVersion(client: Queryable): Promise<VersionRow | null> {
  const { rows } = await client.query<VersionRow>(`${VERSION} ORDER BY version DESC LIMIT 1`);
  return rows[0]?.leaf ? rows[0] : null;
}

export async function readVersionEntry(client: Queryable, version: number): Promise<VersionRow> {
  const { rows } = await client.query<VersionRow>(`${VERSION} WHERE version = $1`, [version]);
  const [row] = rows;
  if (row?.leaf) return row;
  throw new LegonetError('tlog_corrupt', `version ${version} has no entry`, 'stop');
}

type AdapterRow = { readonly adapter: number; readonly version: number; readonly digest: string };

export async function readAdapterRows(client: Queryable): Promise<AdapterRow[]> {
  const { rows } = await client.query<AdapterRow>(
    'SELECT adapter, version, weights_digest AS digest FROM adapters ORDER BY adapter',
  );
  return rows;
}

/** Where the log of `size` entries has an entry; null if it is not among them. */
export async function entryIndex(
  client: Queryable,
  batch: bigint | null,
  entry: number | null,
  size: number,
): Promise<number | null> {
  if (batch === null || entry === null) return null;
  const index = await indexOf(client, batch, entry);
  return index !== null && index < size ? index : null;
}

export type LogKeys = {
  /** The key in force. */
  readonly vkey: string;
  /** How it came to be in force, from the first. */
  readonly rotations: (Rotation & { readonly index: number })[];
};

export async function readKeys(client: Queryable, size: number): Promise<LogKeys> {
  const { rows } = await client.query<{ vkey: string; batch: bigint | null; entry: number | null }>(
    'SELECT vkey, leaf_batch AS batch, leaf_entry AS entry FROM tlog_keys ORDER BY ordinal',
  );
  const rotations: (Rotation & { index: number })[] = [];
  let from: string | undefined;
  for (const { vkey, batch, entry } of rows) {
    if (from !== undefined) {
      const index = await entryIndex(client, batch, entry, size);
      // Not signed yet: the checkpoint is the old key's still.
      if (index === null) break;
      rotations.push({ from, to: vkey, index, signature: await rotationSignature(client, index) });
    }
    from = vkey;
  }
  return { vkey: from ?? '', rotations };
}

async function rotationSignature(client: Queryable, index: number): Promise<Uint8Array> {
  const bundle = await readBundle(client, Math.floor(index / TILE_WIDTH));
  const entry = bundle && parseBundle(bundle)[index % TILE_WIDTH];
  const leaf = entry && decodeLeaf(entry);
  if (leaf?.kind === 'key') return leaf.signature;
  throw new LegonetError('tlog_corrupt', `entry ${index} is not a rotation of the key`, 'stop');
}

/** Samples that a request has deleted, so that each has a certificate: the first, and how many in all. */
export async function readDeletedSamples(
  client: Queryable,
  requestId: string,
  limit: number,
): Promise<{ samples: string[]; total: number }> {
  const { rows } = await client.query<{ sample_id: string; total: number }>(
    `SELECT sample_id, (count(*) OVER ())::int AS total FROM evidence WHERE request_id = $1
     ORDER BY sample_id LIMIT $2`,
    [requestId, limit],
  );
  return { samples: rows.map(({ sample_id }) => sample_id), total: rows[0]?.total ?? 0 };
}
