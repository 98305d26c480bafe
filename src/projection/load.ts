import type { Version } from '../events/version.js';
import { textArray } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { keyText } from '../store/key-text.js';
import {
  type Known,
  type LeafPlace,
  type Position,
  requestKey,
  type SavedSeal,
  type StoredSample,
  type SubjectErasure,
  type Tombstone,
} from './changes.js';
import type { Seal } from './seals.js';

/** What a batch names: samples, subjects named by content, subjects to be erased. */
export type Named = {
  readonly samples: ReadonlySet<string>;
  readonly subjects: ReadonlySet<string>;
  readonly erased: ReadonlySet<string>;
  /** Ids of the requests that the log's own notes of erased subjects name. */
  readonly noted: ReadonlySet<string>;
};

type SealRow = {
  sample_id: string;
  salt: Buffer;
  commitment: Buffer;
  membership: Buffer;
  leaf_batch: bigint;
  leaf_entry: number;
};

type SampleRow = Omit<SealRow, 'leaf_batch'> & {
  leaf_batch: bigint | null;
  partition: number;
  position: bigint;
  first_partition: number;
  first_position: bigint;
  label: number;
  encoding: Buffer;
  adapters: number[];
  unplaced: boolean;
  ingest_time: bigint | null;
  ingest_id: string;
  ingest_source: string;
  ingest_digest: Buffer;
  ingest_partition: number | null;
  ingest_position: bigint;
  correction_time: bigint | null;
  correction_id: string;
  correction_source: string;
  correction_digest: Buffer;
  payloads: Record<string, string> | null;
};

/** Reads everything that the batch's outcome depends on, in the projection's transaction. */
export async function load(client: Queryable, named: Named, replaying: boolean): Promise<Known> {
  const ids = new Set(named.samples);
  if (named.erased.size > 0) {
    const { rows } = await client.query<{ sample_id: string }>(
      'SELECT sample_id FROM sample_subjects WHERE subject_id = ANY($1::text[])',
      [textArray([...named.erased])],
    );
    for (const row of rows) ids.add(row.sample_id);
  }
  const list = textArray([...ids]);
  return {
    samples: await loadSamples(client, list, 'FOR UPDATE'),
    tombstones: await loadTombstones(client, list),
    subjectErasures: await loadErasures(client, [...named.subjects, ...named.erased]),
    requests: await loadRequests(client, named),
    savedSeals: replaying ? await loadSavedSeals(client, list) : new Map(),
  };
}

/** Retained samples among the ids; with `lock`, their rows are locked until the transaction ends. */
export async function loadSamples(
  client: Queryable,
  ids: Buffer,
  lock: '' | 'FOR UPDATE' = '',
): Promise<Map<string, StoredSample>> {
  const { rows } = await client.query<SampleRow>(
    `SELECT * FROM samples WHERE sample_id = ANY($1::text[]) ORDER BY sample_id ${lock}`,
    [ids],
  );
  if (rows.length === 0) return new Map();
  const subjects = await loadSubjects(client, ids);
  return new Map(
    rows.map((row) => [row.sample_id, storedSample(row, subjects.get(row.sample_id) ?? new Map())]),
  );
}

function storedSample(row: SampleRow, subjects: ReadonlyMap<string, bigint>): StoredSample {
  const ingest = row.ingest_time === null ? null : version(row, 'ingest', row.ingest_time);
  const correction =
    row.correction_time === null ? null : version(row, 'correction', row.correction_time);
  return {
    state: {
      status: 'retained',
      ...(ingest && { ingest }),
      ...(correction && { correction }),
      subjects,
    },
    at: { partition: row.partition, position: row.position },
    first: { partition: row.first_partition, position: row.first_position },
    ingestAt: position(row.ingest_partition, row.ingest_position),
    label: row.label,
    encoding: new Int8Array(row.encoding),
    adapters: row.adapters,
    unplaced: row.unplaced,
    seal: sealOf(row),
    leaf: row.leaf_batch === null ? null : { batch: row.leaf_batch, entry: row.leaf_entry },
    payloads: row.payloads
      ? new Map(Object.entries(row.payloads).map(([p, first]) => [Number(p), BigInt(first)]))
      : null,
  };
}

const sealOf = ({ salt, commitment, membership }: Omit<SealRow, 'leaf_batch'>): Seal => ({
  salt,
  commitment,
  membership,
});

const leafOf = (row: SealRow): LeafPlace => ({ batch: row.leaf_batch, entry: row.leaf_entry });

async function loadSavedSeals(client: Queryable, ids: Buffer): Promise<Map<string, SavedSeal>> {
  const { rows } = await client.query<SealRow & { digest: Buffer; adapters: number[] | null }>(
    'SELECT * FROM saved_seals WHERE sample_id = ANY($1::text[])',
    [ids],
  );
  return new Map(
    rows.map((row) => [
      row.sample_id,
      {
        digest: row.digest.toString('hex'),
        seal: sealOf(row),
        leaf: leafOf(row),
        adapters: row.adapters,
      },
    ]),
  );
}

function version(row: SampleRow, which: 'ingest' | 'correction', time: bigint): Version {
  return {
    time,
    eventId: row[`${which}_id`],
    source: row[`${which}_source`],
    digest: row[`${which}_digest`].toString('hex'),
  };
}

async function loadSubjects(client: Queryable, ids: Buffer) {
  const { rows } = await client.query<{
    sample_id: string;
    subject_id: string;
    first_time: bigint;
  }>(
    'SELECT sample_id, subject_id, first_time FROM sample_subjects WHERE sample_id = ANY($1::text[])',
    [ids],
  );
  const bySample = new Map<string, Map<string, bigint>>();
  for (const row of rows) {
    const subjects = bySample.get(row.sample_id) ?? new Map<string, bigint>();
    bySample.set(row.sample_id, subjects.set(row.subject_id, row.first_time));
  }
  return bySample;
}

async function loadTombstones(client: Queryable, ids: Buffer): Promise<Map<string, Tombstone>> {
  const { rows } = await client.query(
    'SELECT * FROM tombstones WHERE sample_id = ANY($1::text[])',
    [ids],
  );
  return new Map(
    rows.map((row) => [
      row.sample_id,
      {
        at: { partition: row.partition, position: row.position },
        requestId: row.request_id,
        first: position(row.first_partition, row.first_position),
      },
    ]),
  );
}

/** Whether a key is that of a deleted sample. */
export async function isDeleted(client: Queryable, key: string | null): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM tombstones WHERE sample_id = $1', [
    keyText(key),
  ]);
  return rowCount === 1;
}

async function loadErasures(
  client: Queryable,
  subjects: string[],
): Promise<Map<string, SubjectErasure>> {
  if (subjects.length === 0) return new Map();
  const { rows } = await client.query<{
    subject_id: string;
    erased_until: bigint;
    request_id: string;
    request_commitment: Buffer | null;
  }>(
    `SELECT subject_id, erased_until, request_id, request_commitment FROM subject_erasures
     WHERE subject_id = ANY($1::text[])`,
    [textArray(subjects)],
  );
  return new Map(
    rows.map((row) => [
      row.subject_id,
      {
        until: row.erased_until,
        requestId: row.request_id,
        commitment: row.request_commitment,
      },
    ]),
  );
}

async function loadRequests(
  client: Queryable,
  { erased, noted }: Named,
): Promise<Map<string, Uint8Array>> {
  if (noted.size === 0) return new Map();
  const { rows } = await client.query<{ target: string; request_id: string; commitment: Buffer }>(
    `SELECT target, request_id, commitment FROM deletions
     WHERE request_id = ANY($1::text[]) AND kind = 'subject' AND target = ANY($2::text[])
       AND commitment IS NOT NULL`,
    [textArray([...noted]), textArray([...erased])],
  );
  return new Map(
    rows.map((row) => [requestKey(row.request_id, 'subject', row.target), row.commitment]),
  );
}

function position(partition: number | null, at: bigint | null): Position | null {
  return partition === null || at === null ? null : { partition, position: at };
}
