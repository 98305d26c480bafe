import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { activate, prepareKeys } from '#src/model/activation.js';
import { kernels } from '../support/kernels.js';

const int8 = fc.integer({ min: -128, max: 127 });
/** Few different values make ties; the whole range makes long sums. */
const value = fc.oneof(fc.integer({ min: -1, max: 1 }), int8, fc.constantFrom(-128, 127));

const cases = fc
  .record({
    adapters: fc.integer({ min: 1, max: 20 }),
    dimension: fc.integer({ min: 1, max: 12 }),
    count: fc.integer({ min: 0, max: 6 }),
  })
  .chain(({ adapters, dimension, count }) => {
    const vectors = (n: number) =>
      fc.array(fc.array(value, { minLength: dimension, maxLength: dimension }), {
        minLength: n,
        maxLength: n,
      });
    return fc.record({
      keys: vectors(adapters),
      samples: vectors(count),
      activated: fc.integer({ min: 1, max: adapters }),
    });
  });

/** Squared L2 distance from its definition, in integers of any size. */
const distance = (a: readonly number[], b: readonly number[]): bigint =>
  a.reduce((sum, x, i) => sum + (BigInt(x) - BigInt(b[i] ?? 0)) ** 2n, 0n);

function nearest(keys: readonly number[][], sample: readonly number[], k: number): number[] {
  const all = keys.map((key, id) => ({ id, distance: distance(key, sample) }));
  all.sort((a, b) => (a.distance === b.distance ? a.id - b.id : a.distance < b.distance ? -1 : 1));
  return all.slice(0, k).map(({ id }) => id);
}

describe.each(kernels)('activation on the $name kernel', (kernel) => {
  test('is the sort by exact distance, then id', () => {
    fc.assert(
      fc.property(cases, ({ keys, samples, activated }) => {
        const dimension = keys[0]?.length ?? 0;
        const prepared = prepareKeys(Int8Array.from(keys.flat()), keys.length, dimension);
        const encodings = Int8Array.from(samples.flat());
        const active = activate(kernel, prepared, encodings, samples.length, activated);
        expect([...active]).toEqual(samples.flatMap((x) => nearest(keys, x, activated)));
      }),
      { numRuns: 500 },
    );
  });
});
