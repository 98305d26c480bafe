import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeepLater } from '#src/build/keep-later.js';
import type { Keeping } from '#src/build/snapshot.js';

const sumsOf = (adapter: number): Keeping => ({
  adapter,
  builtIn: 1,
  cut: { 0: '1' },
  generation: 0n,
  sums: null,
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('sums are written when no adapter has come for a while, and not between two', () => {
  const written: number[] = [];
  const later = new KeepLater(async ({ adapter }) => void written.push(adapter));
  for (let adapter = 0; adapter < 4; adapter++) {
    later.add(sumsOf(adapter));
    vi.advanceTimersByTime(40);
    expect(written).toEqual([]);
  }
  vi.advanceTimersByTime(10);
  expect(written).toEqual([0, 1, 2, 3]);
});

test('who waits for them has them written at once, once each, and waits to the end', async () => {
  const ends: (() => void)[] = [];
  const write = vi.fn(() => new Promise<void>((resolve) => ends.push(resolve)));
  const later = new KeepLater(write);
  later.add(sumsOf(1));
  const done = vi.fn();
  const waiting = later.done().then(done);
  expect(write).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(done).not.toHaveBeenCalled();
  for (const end of ends) end();
  await waiting;
  expect(write).toHaveBeenCalledTimes(1);
});

test('sums that cannot be written are nobody’s trouble', async () => {
  const later = new KeepLater(async () => {
    throw new Error('no connection');
  });
  later.add(sumsOf(1));
  await expect(later.done()).resolves.toBeUndefined();
});
