import { expect, test } from 'vitest';
import { listen } from '#src/store/listen.js';
import { createTestDatabase } from '../support/database.js';

test('listening ends when it is aborted while it still connects', { timeout: 20_000 }, async () => {
  const database = await createTestDatabase();
  const controller = new AbortController();
  let notified = 0;
  const listening = listen(
    database.url,
    ['legonet_log'],
    () => {
      notified++;
    },
    controller.signal,
  );
  controller.abort();
  await listening;
  expect(notified).toBe(0);
  await database.drop();
});
