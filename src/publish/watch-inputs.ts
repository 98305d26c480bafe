import type { Place } from '../log/event-log.js';
import { int4Array, int8Array, textArray } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { holdRetained } from '../store/row-locks.js';

/** A raw input's sample, its last record that the projection has seen, and the one written after it. */
export type Restated = {
  readonly sampleId: string;
  readonly partition: number;
  readonly position: bigint;
  readonly by: Place;
};

/** How many erasures there may be at a time of a partition, about, however many raw inputs come. */
const TO_A_DEADLINE = 1024;

/**
 * Has the log see to it that raw inputs go, as it does for what is deleted. One to a partition stands for all that
 * were written again before it: compaction cleans a log from its beginning up to one position, with all that is
 * known there; so where this one's record is gone, theirs are. A later one soon takes its place.
 */
export async function watchInputs(
  client: Queryable,
  restated: readonly Restated[],
  deadlineMs: number,
): Promise<void> {
  if (restated.length === 0) return;
  const last = lastOfEach(restated);
  const partitions = int4Array([...last.keys()]);
  const retained = await holdRetained(
    client,
    [...last.values()].map(({ sampleId }) => sampleId),
  );
  const { rows: replaced } = await client.query<{ partition: number; since: string }>(
    `WITH former AS (
       SELECT key, partition FROM erasures WHERE restated AND partition = ANY($1::int[])
         AND since > now() - $2 * interval '1 millisecond'
       ORDER BY key, partition FOR UPDATE
     ), replaced AS (
       DELETE FROM erasures e USING former f WHERE e.key = f.key AND e.partition = f.partition
       RETURNING e.partition, e.since
     ) SELECT partition, min(since)::text AS since FROM replaced GROUP BY partition`,
    [partitions, deadlineMs / TO_A_DEADLINE],
  );
  const since = new Map(replaced.map((row) => [row.partition, row.since]));
  // A sample deleted meanwhile has an erasure of its own; its record stands for the others as well.
  const all = [...last.values()].filter(({ sampleId }) => retained.has(sampleId));
  await client.query(
    `INSERT INTO erasures AS e (key, partition, first_position, last_position, declared_position,
                                declared_at, restated, since)
     SELECT r.key, r.partition, r.position, r.position, r.by, now(), true,
            coalesce(r.since::timestamptz, now())
     FROM unnest($1::text[], $2::int[], $3::int8[], $4::int8[], $5::text[])
       AS r(key, partition, position, by, since)
     ON CONFLICT (key, partition) DO UPDATE
       SET first_position = excluded.first_position, last_position = excluded.last_position,
           declared_position = excluded.declared_position, declared_at = excluded.declared_at,
           since = excluded.since
       WHERE e.restated`,
    [
      textArray(all.map(({ sampleId }) => sampleId)),
      int4Array(all.map(({ partition }) => partition)),
      int8Array(all.map(({ position }) => position)),
      int8Array(all.map(({ by }) => by.position)),
      textArray(all.map(({ partition }) => since.get(partition) ?? null)),
    ],
  );
}

function lastOfEach(restated: readonly Restated[]): ReadonlyMap<number, Restated> {
  const last = new Map<number, Restated>();
  for (const one of restated) {
    const known = last.get(one.partition);
    if (!known || known.by.position < one.by.position) last.set(one.partition, one);
  }
  return last;
}
