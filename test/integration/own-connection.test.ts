import { expect, test } from 'vitest';
import { inlineCompute } from '#src/build/compute.js';
import { plainKernel } from '#src/kernel/plain.js';
import { openDatabase, transaction } from '#src/store/database.js';
import { createTestDatabase } from '../support/database.js';
import { tinyModel } from '../support/models.js';
import { persist } from '../support/persist.js';

test('builds in line go on with other connections when those that they use have broken', async () => {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase(url, 1);
  const { shape, configuration } = tinyModel();
  const settings = configuration.adapter;
  const compute = inlineCompute(url, plainKernel, tinyModel());
  const task = {
    adapter: 0,
    builtIn: null,
    stored: false,
    kept: false,
    owed: [],
    keepLater: false,
    keyed: false,
    shape,
    settings,
    cut: {},
  };
  try {
    await Promise.all(Array.from({ length: compute.parallel }, () => compute.ready()));
    const { rowCount: broken } = await database.pool.query(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    expect(broken).toBe(compute.parallel);
    await transaction(
      database.pool,
      async (client) => {
        const { rows } = await client.query('SELECT pg_export_snapshot() AS snapshot');
        const { snapshot } = rows[0];
        await persist(async () => {
          expect((await compute.build(task, snapshot)).members).toBe(0);
        });
      },
      'ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
  } finally {
    await compute.close();
    await database.close();
    await drop();
  }
});
