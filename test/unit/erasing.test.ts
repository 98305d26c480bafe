import { expect, test } from 'vitest';
import { Erasing } from '#src/log/kafka/erasing.js';
import { planErasure } from '#src/log/kafka/policy.js';
import type { Declared } from '#src/log/kafka/verification.js';

const DEADLINE_MS = 1600;
const BACKOFF_MS = 50;
const READ = new Map([[0, 1000n]]);

const erasure = (key: string, at: number): Declared => ({
  key,
  partition: 0,
  first: 0n,
  record: () => ({ value: Buffer.from('deleted') }),
  declared: { position: 10n, at: new Date(at) },
});

/** A log whose clock stands still between steps, and where what is looked for is gone at once. */
function quickLog(backoffMs = BACKOFF_MS) {
  const looked: string[] = [];
  const rolls: number[] = [];
  const clock = { now: 0 };
  const erasing = new Erasing({
    plan: planErasure(DEADLINE_MS),
    backoffMs: () => backoffMs,
    now: () => clock.now,
    append: async (records) => {
      rolls.push(clock.now);
      return records.map(() => 20n);
    },
    ends: async () => new Map([[0, 0n]]),
    findGone: async (due) => {
      looked.push(...due.map(({ key }) => key));
      return [...due];
    },
    onLog: () => {},
  });
  return { erasing, clock, looked, rolls };
}

test.each([100, 500, 1000, 5000])(
  'an erasure is looked for and done, when steps are %i ms apart',
  async (step) => {
    const { erasing, clock, rolls } = quickLog();
    const done: string[] = [];
    while (done.length === 0 && clock.now < 60_000) {
      const progress = await erasing.step([erasure('a', 0)], READ);
      done.push(...progress.map(({ key }) => key));
      clock.now += step;
    }
    expect(done).toEqual(['a']);
    expect(rolls.length).toBe(1);
  },
);

test('an erasure is looked for also while others come due all the time', async () => {
  const { erasing, clock, looked } = quickLog(10 * BACKOFF_MS);
  const all: Declared[] = [];
  for (let i = 0; i < 40; i++) {
    all.push(erasure(`k${i}`, clock.now));
    await erasing.step(all, READ);
    clock.now += BACKOFF_MS - 1;
  }
  expect(looked).toContain('k0');
});
