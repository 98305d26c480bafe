import type { Queryable } from './database.js';

/** What an operator watches, besides what `readStatus` tells. */
export type Gauges = {
  /** Dead letters that wait for somebody, by code. */
  readonly deadLetters: ReadonlyMap<string, number>;
  readonly erasuresOverdue: number;
  /** Seconds since the oldest payload that the log still holds was to be erased; 0 for none. */
  readonly oldestErasureSeconds: number;
};

export async function readGauges(client: Queryable, erasureDeadlineMs: number): Promise<Gauges> {
  const letters = await client.query<{ code: string; count: bigint }>(
    `SELECT code, count(*) FROM dead_letters WHERE redriven_at IS NULL AND skipped_at IS NULL
     GROUP BY code`,
  );
  const { rows } = await client.query<{ overdue: bigint; oldest: number }>(
    `SELECT count(*) FILTER (WHERE since < now() - $1 * interval '1 millisecond') AS overdue,
            coalesce(extract(epoch FROM now() - min(since)), 0)::float8 AS oldest
     FROM erasures`,
    [erasureDeadlineMs],
  );
  return {
    deadLetters: new Map(letters.rows.map((row) => [row.code, Number(row.count)])),
    erasuresOverdue: Number(rows[0]?.overdue ?? 0n),
    oldestErasureSeconds: rows[0]?.oldest ?? 0,
  };
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
