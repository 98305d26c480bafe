import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventLog } from '#src/log/event-log.js';
import { Watch } from '#src/service/watch.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

/* What a process takes for work that waits, and so says of itself that it is not ready. */

let service: TestService;
let end = 0n;

beforeAll(async () => {
  service = await openTestService(tinyModel());
});
afterAll(() => service.close());

const query = (sql: string) => service.database.pool.query(sql);
const log = (): EventLog =>
  Object.create(service.log, {
    compacts: { value: true },
    ends: { value: async () => new Map([[0, end]]) },
  });

async function stalls(watch: Watch): Promise<string[]> {
  await watch.look({ ...service, log: log() }, service.database);
  return watch.stalls().map(({ what }) => what);
}

test('deletions wait for who publishes only where the log may be told of them: what is before them is read', async () => {
  await query('INSERT INTO offsets (partition, position) VALUES (0, 5)');
  await query(`INSERT INTO erasures (key, partition, first_position, last_position)
               VALUES ('gone', 0, 1, 4)`);
  const watch = new Watch(['publish'], 0);
  end = 9n;
  expect(await stalls(watch)).toEqual([]);
  // A busy partition is never read to its very end: it is enough to have read what was there before.
  await query('UPDATE offsets SET position = 9');
  end = 12n;
  expect(await stalls(watch)).toEqual(['erasures']);
});
