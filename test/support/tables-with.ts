import type { Database } from '#src/store/database.js';

/** The tables with a row that holds the words, as text or as bytes. */
export async function tablesWith({ pool }: Database, words: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  );
  const patterns = [`%${words}%`, `%${Buffer.from(words).toString('hex')}%`];
  const found: string[] = [];
  for (const { name } of rows) {
    const { rowCount } = await pool.query(
      `SELECT FROM ${name} t WHERE t::text LIKE ANY ($1) LIMIT 1`,
      [patterns],
    );
    if (rowCount) found.push(name);
  }
  return found;
}
