import { expect, test } from 'vitest';
import { isRetryable, openDatabase, transaction } from '#src/store/database.js';
import { createTestDatabase } from '../support/database.js';

test('a connection that breaks while it is asked nothing ends no process: its next query fails', async () => {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase(url, 2);
  const failure = transaction(database.pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    // Not `once` of node:events, which would listen for errors itself.
    const ended = new Promise((resolve) => client.once('end', resolve));
    await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await client.query('SELECT 1');
  }).catch((error: unknown) => error);
  expect(isRetryable(await failure)).toBe(true);
  // The pool has another one by then.
  expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await database.close();
  await drop();
});
