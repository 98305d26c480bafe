import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitAdapter, weightsBytes } from '#src/model/adapter.js';
import { buildAdapter, buildModel, membersByAdapter } from '#src/model/build.js';
import { modelDigest } from '#src/model/digest.js';
import type { Rows } from '#src/model/statistics.js';
import { kernels } from '../support/kernels.js';
import { pick, tinyModel } from '../support/models.js';

const model = tinyModel();
const { dimension, classes } = model.shape;

/** Few different samples, so that many are equal, some in the encoding alone. */
const sample = fc.record({
  x: fc.oneof(
    fc.constantFrom([0, 0, 0, 0], [100, -100, 50, 0], [-128, 127, -128, 127]),
    fc.array(fc.integer({ min: -128, max: 127 }), { minLength: dimension, maxLength: dimension }),
  ),
  label: fc.nat(classes - 1),
});

const shuffled = fc.array(sample, { maxLength: 40 }).chain((samples) =>
  fc.record({
    samples: fc.constant<Rows>({
      encodings: Int8Array.from(samples.flatMap(({ x }) => x)),
      labels: samples.map(({ label }) => label),
    }),
    order: fc.shuffledSubarray([...samples.keys()], { minLength: samples.length }),
  }),
);

describe.each(kernels)('the model on the $name kernel', (kernel) => {
  test('is a function of the set of samples: their order does not matter', () => {
    fc.assert(
      fc.property(shuffled, ({ samples, order }) => {
        const built = buildModel(kernel, model, samples);
        expect(buildModel(kernel, model, pick(samples, order, dimension))).toEqual(built);
      }),
      { numRuns: 300 },
    );
  });

  test('has adapters that are functions of the set of their members, in the dual and primal form', () => {
    fc.assert(
      fc.property(shuffled, ({ samples, order }) => {
        const weights = fitAdapter(kernel, model.shape, 0.01, samples);
        const again = fitAdapter(kernel, model.shape, 0.01, pick(samples, order, dimension));
        expect(weightsBytes(again)).toEqual(weightsBytes(weights));
      }),
      { numRuns: 300 },
    );
  });

  test('is its adapters, each built alone from its members', () => {
    fc.assert(
      fc.property(shuffled, ({ samples }) => {
        const built = buildModel(kernel, model, samples);
        const alone = membersByAdapter(kernel, model, samples).map((rows) =>
          buildAdapter(kernel, model, pick(samples, rows, dimension)),
        );
        expect(alone).toEqual(built.adapters);
        const digests = alone.map(({ digest }) => digest);
        expect(built.modelDigest).toBe(modelDigest(model.digest, digests));
      }),
    );
  });

  test('every sample is a member of as many adapters as are activated, whatever the panel', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), (count) => {
        const encodings = Int8Array.from({ length: count * dimension }, (_, i) => (i * 37) % 128);
        const samples = { encodings, labels: new Uint8Array(count) };
        const times = new Uint8Array(count);
        for (const rows of membersByAdapter(kernel, model, samples)) {
          for (const row of rows) times[row] = (times[row] ?? 0) + 1;
        }
        expect(times).toEqual(new Uint8Array(count).fill(model.configuration.activated));
      }),
      { numRuns: 20, examples: [[1024], [1025]] },
    );
  });

  test('leaves adapters alone that a deleted sample was not a member of', () => {
    fc.assert(
      fc.property(shuffled, fc.nat(), ({ samples }, choice) => {
        const count = samples.labels.length;
        fc.pre(count > 0);
        const deleted = choice % count;
        const kept = [...Array(count).keys()].filter((row) => row !== deleted);
        const before = buildModel(kernel, model, samples);
        const after = buildModel(kernel, model, pick(samples, kept, dimension));
        membersByAdapter(kernel, model, samples).forEach((rows, adapter) => {
          if (!rows.includes(deleted)) {
            expect(after.adapters[adapter]).toEqual(before.adapters[adapter]);
          } else {
            expect(after.adapters[adapter]?.members).toBe(rows.length - 1);
          }
        });
      }),
    );
  });
});

test('every kernel builds the same bytes', () => {
  fc.assert(
    fc.property(shuffled, ({ samples }) => {
      const [first, ...others] = kernels.map((kernel) => buildModel(kernel, model, samples));
      for (const other of others) expect(other).toEqual(first);
    }),
  );
});
