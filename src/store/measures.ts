import type { Queryable } from './database.js';

/** Dead letters that wait for somebody, by code. */
export async function countDeadLetters(client: Queryable): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ code: string; count: bigint }>(
    `SELECT code, count(*) FROM dead_letters WHERE redriven_at IS NULL AND skipped_at IS NULL
     GROUP BY code`,
  );
  return new Map(rows.map((row) => [row.code, Number(row.count)]));
}

/** Seconds from the log's taking in each request that the versions apply to their publication. */
export async function readDeletionSeconds(
  client: Queryable,
  versions: readonly number[],
): Promise<number[]> {
  const { rows } = await client.query<{ seconds: number }>(
    `SELECT greatest(0, extract(epoch FROM v.published_at) - d.logged_at / 1e6)::float8 AS seconds
     FROM deletions d JOIN versions v USING (version)
     WHERE v.version = ANY($1) AND d.logged_at IS NOT NULL`,
    [versions],
  );
  return rows.map((row) => row.seconds);
}
