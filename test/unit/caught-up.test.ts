import { beforeEach, expect, test } from 'vitest';
import { CaughtUp } from '#src/log/caught-up.js';

let ends: Map<number, bigint>;
let now: number;
let caughtUp: CaughtUp;
const partitions = (...read: readonly (readonly [number, bigint])[]) => [
  ...caughtUp.partitions(new Map(read), new Map(ends)),
];

beforeEach(() => {
  ends = new Map([
    [0, 10n],
    [1, 20n],
  ]);
  now = 0;
  caughtUp = new CaughtUp(() => now);
});

test('a partition that is read to its end is caught up, and no other', () => {
  expect(partitions([0, 10n], [1, 19n])).toEqual([0]);
  expect(partitions([0, 9n])).toEqual([]);
});

test('one that is never read to its end is, where what was there at the last look is read', () => {
  partitions();
  ends.set(0, 15n);
  now += 1000;
  expect(partitions([0, 12n])).toEqual([0]);
  expect(partitions([0, 12n])).toEqual([]);
});

test('what was there long ago says nothing', () => {
  partitions();
  ends.set(0, 15n);
  now += 3_600_000;
  expect(partitions([0, 12n])).toEqual([]);
});

test('a partition that is new is judged by its end', () => {
  partitions();
  ends.set(2, 5n);
  expect(partitions([2, 4n])).toEqual([]);
  ends.set(3, 5n);
  expect(partitions([3, 5n])).toEqual([3]);
});
