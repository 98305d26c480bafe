import { expect, test } from 'vitest';
import { Watch } from '#src/service/watch.js';

test('only the partitions of the last assignment are this process’s own', () => {
  const watch = new Watch(['project'], 60_000);
  expect(watch.partitions).toBeNull();
  watch.observe({ kind: 'assigned', partitions: [0, 1, 2] });
  watch.observe({ kind: 'assigned', partitions: [1] });
  expect(watch.partitions).toEqual(new Set([1]));
  // A member more than there are partitions: none is its own, rather than all.
  watch.observe({ kind: 'assigned', partitions: [] });
  expect(watch.partitions).toEqual(new Set());
  watch.observe({ kind: 'role', role: 'project', up: false });
  expect(watch.partitions).toBeNull();
});
