import type { Queryable } from './database.js';

/** Rows of a file that are in the log already, from an ingest that was interrupted. */
export async function readIngested(client: Queryable, file: string): Promise<number> {
  const { rows } = await client.query<{ rows: bigint }>(
    'SELECT rows FROM ingest_progress WHERE file = $1',
    [file],
  );
  return Number(rows[0]?.rows ?? 0n);
}

export async function saveIngested(client: Queryable, file: string, rows: number): Promise<void> {
  await client.query(
    `INSERT INTO ingest_progress VALUES ($1, $2)
     ON CONFLICT (file) DO UPDATE SET rows = excluded.rows`,
    [file, rows],
  );
}

export async function forgetIngested(client: Queryable, file: string): Promise<void> {
  await client.query('DELETE FROM ingest_progress WHERE file = $1', [file]);
}
