import { openDatabase } from '#src/store/database.js';

/** Runs one statement on a connection of its own. */
export async function execute(url: string, sql: string): Promise<void> {
  const database = openDatabase(url, 1);
  try {
    await database.pool.query(sql);
  } finally {
    await database.close();
  }
}
