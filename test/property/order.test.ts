import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitAdapter, isDual, weightsBytes, weightsDigest } from '#src/model/adapter.js';
import { smallestLambda } from '#src/model/configuration.js';
import { kernels } from '../support/kernels.js';
import { pick, syntheticRows } from '../support/models.js';

/**
 * Rounding to float32 hides most of what another order does to float64. These systems are close to
 * singular, few encodings many times with different labels and the smallest lambda, so that it shows.
 */
const shape = { dimension: 32, classes: 3 };
const lambda = smallestLambda(shape.dimension + 1);
const few = syntheticRows('order', 10, shape.dimension, 1).encodings;

function members(count: number) {
  const rows = syntheticRows('order', count, shape.dimension, shape.classes);
  const encodings = rows.encodings.map((_, i) => few[i % few.length] ?? 0);
  return { encodings, labels: Array.from(rows.labels) };
}

describe.each(kernels)('close to a singular system, on the $name kernel', (kernel) => {
  test.each([
    ['dual', 30, '4a0eebdacc62d4d940c91bf152a34b45ab60366c7eb01c757fcf12e7aedea7b8'],
    ['primal', 60, '0dec89c5a5ce1f7eb5c2108c9f08d97934bfaa063fddbc7cc22048126e3c3165'],
  ])('the %s form gives these weights to the last bit', (form, count, digest) => {
    expect(isDual(count, shape)).toBe(form === 'dual');
    const weights = fitAdapter(kernel, shape, lambda, members(count));
    expect(weightsDigest(weightsBytes(weights))).toBe(digest);
  });

  test.each([
    ['dual', 30],
    ['primal', 60],
  ])('no order of the members changes a bit of the %s form', (_, count) => {
    const rows = members(count);
    const weights = fitAdapter(kernel, shape, lambda, rows);
    const orders = fc.shuffledSubarray([...rows.labels.keys()], { minLength: count });
    fc.assert(
      fc.property(orders, (order) => {
        const again = fitAdapter(kernel, shape, lambda, pick(rows, order, shape.dimension));
        expect(weightsBytes(again)).toEqual(weightsBytes(weights));
      }),
    );
  });
});
