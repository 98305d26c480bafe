import { beforeEach, expect, test } from 'vitest';
import { CaughtUp } from '#src/log/caught-up.js';

let ends: Map<number, bigint>;
let now: number;
let caughtUp: CaughtUp;
const partitions = async (...read: readonly (readonly [number, bigint])[]) => [
  ...(await caughtUp.partitions(new Map(read))),
];

beforeEach(() => {
  ends = new Map([
    [0, 10n],
    [1, 20n],
  ]);
  now = 0;
  caughtUp = new CaughtUp(
    async () => new Map(ends),
    () => now,
  );
});

test('a partition that is read to its end is caught up, and no other', async () => {
  expect(await partitions([0, 10n], [1, 19n])).toEqual([0]);
  expect(await partitions([0, 9n])).toEqual([]);
});

test('one that is never read to its end is, where what was there at the last look is read', async () => {
  await partitions();
  ends.set(0, 15n);
  now += 1000;
  expect(await partitions([0, 12n])).toEqual([0]);
  expect(await partitions([0, 12n])).toEqual([]);
});

test('what was there long ago says nothing', async () => {
  await partitions();
  ends.set(0, 15n);
  now += 3_600_000;
  expect(await partitions([0, 12n])).toEqual([]);
});

test('a partition that is new is judged by its end', async () => {
  await partitions();
  ends.set(2, 5n);
  expect(await partitions([2, 4n])).toEqual([]);
  ends.set(3, 5n);
  expect(await partitions([3, 5n])).toEqual([3]);
});
