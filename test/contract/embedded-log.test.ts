import { expect, test } from 'vitest';
import { EmbeddedLog } from '#src/log/embedded.js';
import { openDatabase } from '#src/store/database.js';
import { createTestDatabase } from '../support/database.js';
import { readLog } from '../support/read-log.js';
import { eventLogContract, type OpenLog } from './event-log.js';

const TOPIC = 'legonet.sample-events';

async function open(): Promise<OpenLog> {
  const { url, drop } = await createTestDatabase();
  const closing: (() => Promise<void>)[] = [];
  const another = async () => {
    const database = openDatabase(url, 4);
    const log = new EmbeddedLog(database);
    closing.push(async () => {
      await log.close();
      await database.close();
    });
    return log;
  };
  return {
    log: await another(),
    topic: TOPIC,
    partitions: 1,
    another,
    close: async () => {
      await Promise.all(closing.map((close) => close()));
      await drop();
    },
  };
}

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
