import { deletionRecord, erasureRecord } from '../events/own-records.js';
import { SUBJECT_PREFIX } from '../events/schemas.js';
import type { Erasure, ErasureProgress } from '../log/event-log.js';
import { int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { readOffsets } from '../store/offsets.js';
import { lockErasures } from '../store/row-locks.js';
import type { PublishOptions } from './options.js';

type ErasureRow = {
  key: string;
  partition: number;
  first: bigint;
  last: bigint;
  declaredPosition: bigint | null;
  declaredAt: Date | null;
  requestId: string;
  until: bigint | null;
};

/** Rows to a step: those whose deletion is to be written, and those that wait to be gone. */
const UNDECLARED = 1000;
const DECLARED = 10_000;

/**
 * Takes the erasure of deleted samples, and of raw inputs, from the log as far as it goes now. What a crash leaves undone is
 * done at the next call; where the log needs its time, call it again and again.
 */
export async function eraseFromLog(options: PublishOptions): Promise<void> {
  // As long as whole pages move: a log may wait until its consumer has read more.
  while ((await step(options, 'declared_position IS NULL', 'since', UNDECLARED)) === UNDECLARED);
  await step(options, 'declared_position IS NOT NULL', 'declared_at', DECLARED);
}

/**
 * Returns how many rows moved: the log may leave some for later. A replay that begins between what is to be erased and how
 * far the projection has come would have the log erase nothing, and say that it is done.
 */
async function step(
  { database, log, topic, reached = () => {} }: PublishOptions,
  which: string,
  order: string,
  limit: number,
): Promise<number> {
  const { rows, read } = await transaction(
    database.pool,
    async (client) => ({
      rows: await readErasures(client, which, order, limit),
      read: await readOffsets(client),
    }),
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  if (rows.length === 0) return 0;
  reached('erase.before');
  const progress = await log.erase(topic, rows.map(toErasure), read);
  reached('erase.after');
  await save(database, rows, progress);
  return progress.length;
}

async function readErasures(
  client: Queryable,
  which: string,
  order: string,
  limit: number,
): Promise<ErasureRow[]> {
  const { rows } = await client.query<ErasureRow>(
    `SELECT e.key, e.partition, e.first_position AS first, e.last_position AS last,
            e.declared_position AS "declaredPosition", e.declared_at AS "declaredAt",
            coalesce(t.request_id, s.request_id) AS "requestId", s.erased_until AS until
     FROM erasures e
     LEFT JOIN tombstones t ON t.sample_id = e.key
     LEFT JOIN subject_erasures s ON starts_with(e.key, '${SUBJECT_PREFIX}')
       AND s.subject_id = substr(e.key, ${SUBJECT_PREFIX.length + 1})
     WHERE ${which}
     -- In turns: a partition that stands still must not keep the others from their places.
     ORDER BY row_number() OVER (PARTITION BY e.partition ORDER BY ${order}, e.key), e.partition
     LIMIT ${limit}`,
  );
  return rows;
}

function toErasure(row: ErasureRow): Erasure {
  const { key, partition, first, declaredPosition, declaredAt, requestId, until } = row;
  const record = () =>
    until === null
      ? deletionRecord(key, requestId)
      : erasureRecord(key.slice(SUBJECT_PREFIX.length), until, requestId);
  const isDeclared = declaredPosition !== null && declaredAt !== null;
  const declared = isDeclared ? { position: declaredPosition, at: declaredAt } : null;
  return { key, partition, first, record, declared };
}

const AS_READ = `e.key = d.key AND e.partition = d.partition AND e.last_position = d.last
  AND e.declared_position IS NOT DISTINCT FROM d.was`;

/**
 * Unless the projection has met more of a key meanwhile, or the deletion of a sample whose raw input was to go: that
 * is yet to be erased.
 */
async function save(
  { pool }: Database,
  rows: readonly ErasureRow[],
  progress: readonly ErasureProgress[],
): Promise<void> {
  if (progress.length === 0) return;
  const asRead = new Map(rows.map((row) => [`${row.partition} ${row.key}`, row]));
  const rowOf = ({ key, partition }: ErasureProgress) => asRead.get(`${partition} ${key}`);
  const arrays = (some: readonly ErasureProgress[]) => [
    textArray(some.map(({ key }) => key)),
    int4Array(some.map(({ partition }) => partition)),
    int8Array(some.map((one) => rowOf(one)?.last ?? null)),
    int8Array(some.map((one) => rowOf(one)?.declaredPosition ?? null)),
  ];
  const declared = progress.filter(({ erased }) => !erased);
  const erased = progress.filter((one) => one.erased);
  await transaction(pool, async (client) => {
    // A batch that is being projected may have met more of a deleted sample.
    await lockErasures(client, progress);
    await client.query(
      `UPDATE erasures e SET declared_position = d.declared, declared_at = now()
       FROM unnest($1::text[], $2::int[], $3::int8[], $4::int8[], $5::int8[])
         AS d(key, partition, last, was, declared)
       WHERE ${AS_READ}`,
      [...arrays(declared), int8Array(declared.map((one) => one.declared))],
    );
    await client.query(
      `DELETE FROM erasures e USING unnest($1::text[], $2::int[], $3::int8[], $4::int8[])
         AS d(key, partition, last, was)
       WHERE ${AS_READ}`,
      arrays(erased),
    );
    await client.query(
      `UPDATE tombstones t SET erased_at = now()
       WHERE sample_id = ANY($1::text[]) AND erased_at IS NULL
         AND NOT EXISTS (SELECT FROM erasures e WHERE e.key = t.sample_id)`,
      [textArray(erased.map(({ key }) => key))],
    );
    await client.query(`SELECT pg_notify('legonet_published', '')`);
  });
}
