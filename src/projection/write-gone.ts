import { int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import type { Changes, Position } from './changes.js';
import type { Requests } from './write-requests.js';

/** Writes what a batch says is gone for ever, and what the log and the dead letters must forget. */
export async function writeGone(
  client: Queryable,
  changes: Changes,
  requests: Requests,
): Promise<void> {
  await writeSubjectErasures(client, changes, requests);
  await writeTombstones(client, changes);
  await writeErasures(client, changes);
}

async function writeSubjectErasures(
  client: Queryable,
  { subjectErasures }: Changes,
  requests: Requests,
) {
  for (const [subject, erasure] of subjectErasures) {
    const { until, requestId } = erasure;
    await client.query(
      `INSERT INTO subject_erasures (subject_id, erased_until, request_id, request_commitment)
       VALUES ($1, $2, $3, $4)
       ON CONFLICT (subject_id) DO UPDATE
         SET erased_until = excluded.erased_until, request_id = excluded.request_id,
             request_commitment = excluded.request_commitment`,
      [subject, until, requestId, requests.commitmentOf(erasure)],
    );
  }
}

async function writeTombstones(client: Queryable, { tombstones }: Changes): Promise<void> {
  if (tombstones.size === 0) return;
  const stones = [...tombstones];
  const partitions = (of: (stone: (typeof stones)[0][1]) => Position | null) =>
    int4Array(stones.map(([, stone]) => of(stone)?.partition ?? null));
  const positions = (of: (stone: (typeof stones)[0][1]) => Position | null) =>
    int8Array(stones.map(([, stone]) => of(stone)?.position ?? null));
  await queryPrepared(
    client,
    `INSERT INTO tombstones (sample_id, request_id, partition, position, first_partition,
       first_position)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int8[], $5::int[], $6::int8[])`,
    [
      textArray(stones.map(([id]) => id)),
      textArray(stones.map(([, stone]) => stone.requestId)),
      partitions((stone) => stone.at),
      positions((stone) => stone.at),
      partitions((stone) => stone.first),
      positions((stone) => stone.first),
    ],
  );
}

/** Records that the log must forget, and what the dead letters hold of the same samples. */
async function writeErasures(client: Queryable, changes: Changes): Promise<void> {
  const { erasures, tombstones } = changes;
  if (erasures.length === 0 && tombstones.size === 0) return;
  const keys = textArray([...new Set([...erasures.map(({ key }) => key), ...tombstones.keys()])]);
  await queryPrepared(
    client,
    // What could not be read was never a sample's; the log holds it all the same, perhaps, also where we have forgotten
    // what it is: a replay has forgotten that it was to be erased.
    `INSERT INTO erasures AS e (key, partition, first_position, last_position)
     SELECT key, partition, min(first), max(last)
     FROM (SELECT * FROM unnest($2::text[], $3::int[], $4::int8[], $5::int8[])
             AS changed(key, partition, first, last)
           UNION ALL
           SELECT key, partition, position, position FROM dead_letters
           WHERE key = ANY($1::text[])) AS found
     GROUP BY key, partition ORDER BY key, partition
     ON CONFLICT (key, partition) DO UPDATE
       SET first_position = least(e.first_position, excluded.first_position),
           last_position = greatest(e.last_position, excluded.last_position),
           -- What was written for a raw input holds the encoding: it is no deletion, and must go too.
           restated = false,
           declared_position = CASE WHEN e.declared_position > excluded.last_position
                                     AND NOT e.restated THEN e.declared_position END,
           declared_at = CASE WHEN e.declared_position > excluded.last_position
                               AND NOT e.restated THEN e.declared_at END`,
    [
      keys,
      textArray(erasures.map(({ key }) => key)),
      int4Array(erasures.map(({ partition }) => partition)),
      int8Array(erasures.map(({ first }) => first)),
      int8Array(erasures.map(({ last }) => last)),
    ],
  );
  await queryPrepared(
    client,
    `UPDATE tombstones t
     SET erased_at = CASE WHEN EXISTS (SELECT FROM erasures e WHERE e.key = t.sample_id) THEN NULL
                          ELSE coalesce(erased_at, now()) END
     FROM (SELECT sample_id FROM tombstones WHERE sample_id = ANY($1::text[])
           ORDER BY sample_id FOR UPDATE) AS named
     WHERE t.sample_id = named.sample_id`,
    [keys],
  );
  await queryPrepared(
    client,
    'DELETE FROM dead_letters WHERE key = ANY($1::text[]) AND digest IS NOT NULL',
    [keys],
  );
  await queryPrepared(
    client,
    `UPDATE dead_letters SET value = NULL, headers = '{}' WHERE key = ANY($1::text[])`,
    [keys],
  );
}
