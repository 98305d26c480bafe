import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitAdapter } from '#src/model/adapter.js';
import { smallestLambda } from '#src/model/configuration.js';
import type { Rows } from '#src/model/statistics.js';
import { kernels } from '../support/kernels.js';
import { pick, syntheticRows } from '../support/models.js';

/** Members that make the system as singular as it can be, besides ordinary ones. */
const row = (dimension: number) =>
  fc.oneof(
    fc.array(fc.integer({ min: -128, max: 127 }), { minLength: dimension, maxLength: dimension }),
    fc.constantFrom(-128, 127, 0, 1).map((value) => Array<number>(dimension).fill(value)),
    fc.nat(dimension - 1).map((hot) => Array.from({ length: dimension }, (_, i) => +(i === hot))),
    fc.array(fc.constantFrom(-128, 127), { minLength: dimension, maxLength: dimension }),
  );

const members = fc.integer({ min: 1, max: 39 }).chain((dimension) =>
  fc.record({
    dimension: fc.constant(dimension),
    // Few rows repeated many times: rank far below the size of either form.
    rows: fc.array(row(dimension), { minLength: 1, maxLength: 5 }),
    count: fc.integer({ min: 1, max: 2 * dimension + 2 }),
  }),
);

describe.each(kernels)('the smallest lambda on the $name kernel', (kernel) => {
  test('lets Cholesky succeed on any members, and gives finite weights', () => {
    fc.assert(
      fc.property(members, ({ dimension, rows, count }) => {
        const repeated = Array.from({ length: count }, (_, i) => rows[i % rows.length] ?? []);
        const samples: Rows = {
          encodings: Int8Array.from(repeated.flat()),
          labels: repeated.map((_, i) => i % 2),
        };
        const lambda = smallestLambda(dimension + 1);
        const weights = fitAdapter(kernel, { dimension, classes: 2 }, lambda, samples);
        expect(weights.every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['dual', 20],
    ['primal', 45],
  ])('is needed: the %s form fails on repeated members with one far below it', (_, count) => {
    const three = syntheticRows('singular', 3, 39, 2);
    const order = Array.from({ length: count }, (_, i) => i % 3);
    expect(() =>
      fitAdapter(kernel, { dimension: 39, classes: 2 }, 1e-18, pick(three, order, 39)),
    ).toThrow(expect.objectContaining({ code: 'not_positive_definite' }));
  });
});
