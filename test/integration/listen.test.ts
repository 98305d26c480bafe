import { expect, test } from 'vitest';
import { listen } from '#src/store/listen.js';
import { createTestDatabase } from '../support/database.js';

test('an abort ends listening at any moment, also while it connects', async () => {
  const { url, drop } = await createTestDatabase();
  try {
    for (const delay of [0, 1, 2, 4, 8, 16]) {
      const controller = new AbortController();
      const listening = listen(url, ['legonet_log'], () => {}, controller.signal);
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      controller.abort();
      await expect(listening).resolves.toBeUndefined();
    }
  } finally {
    await drop();
  }
});
