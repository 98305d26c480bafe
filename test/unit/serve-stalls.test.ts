import { expect, test } from 'vitest';
import { Stalls, type Waiting } from '#src/service/stalls.js';

const waiting = (mark: string, what = 'partition 0'): Waiting => ({ role: 'project', what, mark });

test('work has stalled when it has waited so long and its mark has not changed', () => {
  const stalls = new Stalls();
  stalls.saw([waiting('at 5')], 1000);
  stalls.saw([waiting('at 5')], 60_999);
  expect(stalls.longerThan(60_000)).toEqual([]);
  stalls.saw([waiting('at 5')], 61_000);
  expect(stalls.longerThan(60_000)).toEqual([{ ...waiting('at 5'), seconds: 60 }]);
});

test('whatever moves has not stalled, however much is left', () => {
  const stalls = new Stalls();
  for (let i = 0; i < 100; i++) stalls.saw([waiting(`at ${i}`)], i * 59_000);
  expect(stalls.longerThan(60_000)).toEqual([]);
});

test('work that was done begins to wait anew when it comes again', () => {
  const stalls = new Stalls();
  stalls.saw([waiting('at 5')], 0);
  stalls.saw([], 30_000);
  stalls.saw([waiting('at 5')], 60_000);
  expect(stalls.longerThan(60_000)).toEqual([]);
});

test('one partition stalls while another moves', () => {
  const stalls = new Stalls();
  stalls.saw([waiting('at 5'), waiting('at 1', 'partition 1')], 0);
  stalls.saw([waiting('at 5'), waiting('at 2', 'partition 1')], 60_000);
  expect(stalls.longerThan(60_000).map(({ what }) => what)).toEqual(['partition 0']);
});

test('what was not looked at again has waited no longer than was seen', () => {
  const stalls = new Stalls();
  stalls.saw([waiting('at 5')], 0);
  expect(stalls.longerThan(1)).toEqual([]);
});
