import { expect, test } from 'vitest';
import { openDatabase } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { createTestDatabase } from '../support/database.js';

test('a test database has all migrations applied, and another test sees nothing of it', async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const [first, second] = [openDatabase(one.url, 1), openDatabase(two.url, 1)];
  try {
    expect(await migrate(first)).toEqual([]);
    await first.pool.query('CREATE TABLE mine (x int)');
    const { rows } = await second.pool.query(`SELECT to_regclass('mine') AS found`);
    expect(rows).toEqual([{ found: null }]);
  } finally {
    await Promise.all([first.close(), second.close()]);
    await Promise.all([one.drop(), two.drop()]);
  }
});

test('an empty test database is there on request', async () => {
  const { url, drop } = await createTestDatabase({ template: 'template0' });
  const database = openDatabase(url, 1);
  try {
    expect((await migrate(database)).length).toBeGreaterThan(0);
  } finally {
    await database.close();
    await drop();
  }
});
