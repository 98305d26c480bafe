import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeepLater, KeepWhenTold, sharedNumbers } from '#src/build/keep-later.js';
import type { Keeping } from '#src/build/snapshot.js';

const statisticsOf = (adapter: number): Keeping => ({
  adapter,
  builtIn: 1,
  cut: { 0: '1' },
  generation: 0n,
  sums: null,
});

type Write = (statistics: Keeping) => Promise<void>;

/** Both sides on one thread, as `inlineCompute` has them. */
function bothSides(write: Write) {
  const shared = sharedNumbers();
  const later = new KeepLater(shared);
  const thread = new KeepWhenTold(shared, write);
  const built = (adapter: number) => {
    thread.add(statisticsOf(adapter));
    later.built();
  };
  return { later, thread, built };
}

/** What waits on shared memory is woken by the platform, which fake timers leave alone. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

test('statistics are written when no adapter has come for a while, and not between two', async () => {
  const written: number[] = [];
  const { built, later } = bothSides(async ({ adapter }) => void written.push(adapter));
  for (let adapter = 0; adapter < 4; adapter++) {
    built(adapter);
    vi.advanceTimersByTime(40);
    await settled();
    expect(written).toEqual([]);
  }
  vi.advanceTimersByTime(10);
  await later.done();
  expect(written).toEqual([0, 1, 2, 3]);
});

test('they are written at once when somebody waits for them, once each, and waited for to the end', async () => {
  const ends: (() => void)[] = [];
  const write = vi.fn<Write>(() => new Promise((resolve) => ends.push(resolve)));
  const { built, later } = bothSides(write);
  built(1);
  const done = vi.fn();
  const waiting = later.done().then(done);
  await vi.waitFor(() => expect(write).toHaveBeenCalledTimes(1));
  await settled();
  expect(done).not.toHaveBeenCalled();
  for (const end of ends) end();
  await waiting;
  await later.done();
  expect(write).toHaveBeenCalledTimes(1);
});

test('what comes after others were written waits to be told again', async () => {
  const written: number[] = [];
  const { built, later, thread } = bothSides(async ({ adapter }) => void written.push(adapter));
  built(1);
  await later.done();
  thread.add(statisticsOf(2));
  await settled();
  expect(written).toEqual([1]);
  await later.done();
  expect(written).toEqual([1, 2]);
});

test('a thread writes one after the other: many must not take as many connections', async () => {
  let writing = 0;
  let most = 0;
  vi.useRealTimers();
  const { built, later } = bothSides(async () => {
    most = Math.max(most, ++writing);
    await sleep(1);
    writing -= 1;
  });
  for (let adapter = 0; adapter < 20; adapter++) built(adapter);
  await later.done();
  expect(most).toBe(1);
});

test('statistics that cannot be written are nobody’s trouble', async () => {
  const { built, later } = bothSides(async () => {
    throw new Error('no connection');
  });
  built(1);
  await expect(later.done()).resolves.toBeUndefined();
});
