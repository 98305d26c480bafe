import { describe, expect, test } from 'vitest';
import { Batcher } from '#src/client/batcher.js';
import type { NewRecord, Place } from '#src/log/event-log.js';

const LIMITS = {
  lingerMs: 0,
  batchRecords: 3,
  batchBytes: 1000,
  bufferRecords: 5,
  bufferBytes: 1000,
};
const record = (key: string, bytes = 1): NewRecord => ({ key, value: new Uint8Array(bytes) });

/** A log whose appends end when the test says so. */
function slowLog() {
  const batches: string[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  let position = 0n;
  const append = async (records: readonly NewRecord[]): Promise<Place[]> => {
    batches.push(records.map(({ key }) => String(key)));
    await new Promise<void>((resolve, reject) => {
      ends.push((error) => (error ? reject(error) : resolve()));
    });
    return records.map(() => ({ partition: 0, position: position++ }));
  };
  return {
    append,
    batches,
    /** Ends the append that is running; waits for one. */
    end: async (error?: Error) => {
      while (ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      ends.shift()?.(error);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
}

describe('a batcher', () => {
  test('appends one batch after another, in the order of the records', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, LIMITS);
    const added = ['a', 'b', 'c', 'd', 'e'].map((key) => batcher.add(() => record(key)));
    await log.end();
    await log.end();
    expect(log.batches).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e'],
    ]);
    expect((await Promise.all(added)).map(({ position }) => position)).toEqual([
      0n,
      1n,
      2n,
      3n,
      4n,
    ]);
  });

  test('cuts batches by their bytes, and sends alone what is larger', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, { ...LIMITS, bufferBytes: 10_000 });
    const added = [400, 2000, 400, 400].map((bytes, i) =>
      batcher.add(() => record(String(i), bytes)),
    );
    for (let i = 0; i < 3; i++) await log.end();
    await Promise.all(added);
    expect(log.batches).toEqual([['0'], ['1'], ['2', '3']]);
  });

  test('holds no more records than it may, and makes the others when there is room', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, LIMITS);
    let made = 0;
    const added = Array.from({ length: 20 }, (_, i) =>
      batcher.add(() => {
        made++;
        return record(String(i));
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(made).toBe(5);
    await log.end();
    expect(made).toBe(8);
    while (log.batches.flat().length < 20) await log.end();
    await log.end();
    await Promise.all(added);
    expect(log.batches.flat()).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
  });

  test('a batch that fails, fails each of its records and no other', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, LIMITS);
    const added = ['a', 'b', 'c', 'd'].map((key) => batcher.add(() => record(key)));
    const outcomes = Promise.allSettled(added);
    await log.end(new Error('no log'));
    await log.end();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
  });

  test('what cannot be made is refused, and does not hold up the others', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, LIMITS);
    const wrong = batcher.add(() => {
      throw new Error('no record');
    });
    const right = batcher.add(() => record('a'));
    await expect(wrong).rejects.toThrow('no record');
    await log.end();
    expect((await right).position).toBe(0n);
  });

  test('closing appends all that was added, and what waits for room too', async () => {
    const log = slowLog();
    const batcher = new Batcher(log.append, { ...LIMITS, lingerMs: 60_000 });
    const added = Array.from({ length: 8 }, (_, i) => batcher.add(() => record(String(i))));
    const closed = batcher.close();
    await expect(batcher.add(() => record('late'))).rejects.toMatchObject({
      code: 'producer_closed',
    });
    for (let i = 0; i < 3; i++) await log.end();
    await closed;
    expect(await Promise.all(added)).toHaveLength(8);
    expect(log.batches.flat()).not.toContain('late');
  });

  test('closing waits for nothing where nothing is left', async () => {
    const batcher = new Batcher(async () => [], LIMITS);
    await batcher.close();
  });
});
