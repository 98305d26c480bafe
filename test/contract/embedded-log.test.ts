import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { openEmbeddedLogs, TOPIC } from '../support/embedded-log.js';
import { readLog } from '../support/read-log.js';
import { eventLogContract } from './event-log.js';

const open = async () => openEmbeddedLogs(await createTestDatabase());

eventLogContract('the embedded log', open);

test('what its consumer has not read yet is not erased: a second request for it may be there', async () => {
  const { log, close } = await open();
  try {
    const value = Buffer.from('x');
    await log.append(
      TOPIC,
      ['a', 'a', 'b'].map((key) => ({ key, value })),
    );
    const record = () => ({ value: Buffer.from('deleted') });
    const erasure = { key: 'a', partition: 0, first: 0n, record, declared: null };
    await log.erase(TOPIC, [erasure], new Map([[0, 1n]]));
    const left = await readLog(log, TOPIC);
    expect(left.map(({ position, value }) => [position, String(value)])).toEqual([
      [1n, 'x'],
      [2n, 'x'],
      [3n, 'deleted'],
    ]);
  } finally {
    await close();
  }
});
