import { describe, expect, test } from 'vitest';
import { createModel } from '#src/model/model.js';
import { type AdapterWeights, predict } from '#src/model/predict.js';
import { softmax } from '../support/engines.js';
import { kernels } from '../support/kernels.js';
import { configuration } from '../support/models.js';

/** Keys at 0, 10, 20 and 30 on a line, two of them activated, classes "a" and "b". */
const modelWith = (changes: Record<string, unknown> = {}) =>
  createModel(
    configuration({
      classes: ['a', 'b'],
      encoder: { kind: 'identity', dimension: 1, scale: 1 },
      keys: { kind: 'reference', file: 'keys.npy', sha256: '0'.repeat(64) },
      adapters: 4,
      activated: 2,
      ...changes,
    }),
    { keys: { rows: 4, columns: 1, values: Int8Array.of(0, 10, 20, 30) } },
  );
const model = modelWith();

/** Feature weights of a and b, then their biases. */
const weights: AdapterWeights = [
  Float32Array.of(1, 0, 0, 8),
  Float32Array.of(2, -1, 4, 0.5),
  null,
  null,
];

describe.each(kernels)('prediction on the $name kernel', (kernel) => {
  const one = (x: number, from: AdapterWeights = weights) =>
    predict(kernel, model, from, Int8Array.of(x), 1)[0];

  test('is the mean of the activated adapters’ outputs', () => {
    // At 4: adapter 0 says (4, 8), adapter 1 says (8 + 4, -4 + 0.5).
    expect(one(4)).toEqual({
      label: 'a',
      scores: Float64Array.of(8, 2.25),
      adapters: [0, 1],
    });
  });

  test('an adapter without members counts as zeros in the mean', () => {
    // At 14: adapters 1 and 2, the latter empty; 1 says (28 + 4, -14 + 0.5).
    expect(one(14)).toEqual({
      label: 'a',
      scores: Float64Array.of(16, -6.75),
      adapters: [1, 2],
    });
  });

  test('has no label when no activated adapter has members', () => {
    expect(one(29)).toEqual({ label: null, scores: new Float64Array(2), adapters: [3, 2] });
  });

  test('an adapter with members may give zeros, and then the first class is the label', () => {
    expect(one(29, [null, null, null, new Float32Array(4)])?.label).toBe('a');
  });

  test('ties go to the class that comes first', () => {
    const tied = Float32Array.of(1, 1, 3, 3);
    expect(one(1, [tied, tied, null, null])?.label).toBe('a');
    expect(one(1, [Float32Array.of(0, 0, 1, 2), null, null, null])?.label).toBe('b');
  });

  test('all scores may be negative', () => {
    expect(one(0, [Float32Array.of(0, 0, -2, -1), null, null, null])?.label).toBe('b');
  });

  test('averages the probabilities of softmax adapters, not what they are made of', () => {
    const trained = modelWith({ adapter: softmax() });
    // At 4, by their biases alone: adapter 0 says 3 to 1, adapter 1 says 1 to e^2000.
    const from = [Float32Array.of(0, 0, Math.log(3), 0), Float32Array.of(0, 0, -1000, 1000)];
    const [mean] = predict(kernel, trained, [...from, null, null], Int8Array.of(4), 1);
    expect(mean).toMatchObject({ label: 'b', adapters: [0, 1] });
    expect(mean?.scores[0]).toBeCloseTo(3 / 8, 6);
    expect(mean?.scores[1]).toBeCloseTo(5 / 8, 6);
  });

  test('of many samples is that of each alone', () => {
    const encodings = Int8Array.of(-128, 127, 4, 14, 15);
    const together = predict(kernel, model, weights, encodings, encodings.length);
    expect(together).toEqual([...encodings].map((x) => one(x)));
    expect(predict(kernel, model, weights, new Int8Array(0), 0)).toEqual([]);
  });
});
