import { describe, expect, test } from 'vitest';
import { plainKernel } from '#src/kernel/plain.js';
import { drawsFrom, nearNormals, permutation } from '#src/model/draws.js';
import { fitSoftmax } from '#src/model/softmax.js';
import type { Training } from '#src/model/trainer.js';
import { softmax, wasmTrainer } from '../support/engines.js';
import { configuration, pick, rowsOf, syntheticRows } from '../support/models.js';

const { trainer } = await wasmTrainer();

const settingsOf = (changes: Record<string, unknown> = {}) => {
  const { adapter } = configuration({ adapter: softmax(changes) });
  if (adapter.kind !== 'softmax') throw new Error(adapter.kind);
  return adapter;
};

/** Two members at 1 and -1 of two classes, weights from zero. */
const line: Training = {
  shape: { dimension: 1, classes: 2 },
  features: Float32Array.of(1, 1, -1, 1),
  labels: [0, 1],
  initial: new Float32Array(4),
  steps: 1,
  learningRate: 1,
  momentum: 0.5,
  batches: null,
};

function expectClose(actual: ArrayLike<number>, expected: readonly number[], digits = 6) {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, digits);
  });
}

describe('a step of the descent', () => {
  test('goes against the gradient that was worked out by hand', () => {
    // Each probability is 1/2, so xᵀ(p - y) / 2 is (-1/2, 1/2) for the feature and 0 for the bias.
    expectClose(trainer.train(line), [1 / 2, -1 / 2, 0, 0]);
  });

  test('keeps of the last step what the momentum says', () => {
    // The outputs differ by 1 now: the error is 1 / (1 + e), and half of the first step comes on top.
    const second = 1 / 2 + 1 / 4 + 1 / (1 + Math.E);
    expectClose(trainer.train({ ...line, steps: 2 }), [second, -second, 0, 0]);
    const bare = 1 / 2 + 1 / (1 + Math.E);
    expectClose(trainer.train({ ...line, steps: 2, momentum: 0 }), [bare, -bare, 0, 0]);
  });

  test('looks at its batch only', () => {
    const batches = [Int32Array.of(1)][Symbol.iterator]() as unknown as Iterator<Int32Array, never>;
    expectClose(trainer.train({ ...line, batches }), [1 / 2, -1 / 2, -1 / 2, 1 / 2]);
  });

  test('goes against the differences of the loss', () => {
    const shape = { dimension: 4, classes: 3 };
    const z = nearNormals(drawsFrom('differences'), 60);
    const features = Float32Array.from({ length: 40 }, (_, i) => (i % 5 < 4 ? (z[i] ?? 0) : 1));
    const initial = Float32Array.from(z.subarray(40, 55));
    const labels = [0, 1, 2, 2, 1, 0, 0, 1];
    const training = { ...line, shape, features, labels, initial, learningRate: 0.5 };
    const after = trainer.train(training);
    const moved = Array.from(initial, (weight, i) => (weight - (after[i] ?? 0)) / 0.5);
    const H = 1e-5;
    const slopes = Array.from(initial, (_, i) => {
      const at = (h: number) =>
        lossOf(Float64Array.from(initial).with(i, (initial[i] ?? 0) + h), training);
      return (at(H) - at(-H)) / (2 * H);
    });
    expectClose(moved, slopes, 5);
  });
});

/** Mean cross-entropy. */
function lossOf(weights: Float64Array, { features, labels, shape }: Training): number {
  const columns = shape.dimension + 1;
  return Array.from(labels).reduce((sum, label, row) => {
    const outputs = Array.from({ length: shape.classes }, (_, c) =>
      Array.from({ length: columns }).reduce<number>(
        (total, _, i) =>
          total + (features[row * columns + i] ?? 0) * (weights[i * shape.classes + c] ?? 0),
        0,
      ),
    );
    const all = Math.log(outputs.reduce((total, output) => total + Math.exp(output), 0));
    return sum + (all - (outputs[label] ?? 0)) / labels.length;
  }, 0);
}

describe('a softmax adapter', () => {
  const shape = { dimension: 6, classes: 3 };
  const rows = syntheticRows('softmax', 40, 6, 3);

  test('without members is zeros', () => {
    expect(fitSoftmax(plainKernel, trainer, shape, settingsOf(), rowsOf([]))).toEqual(
      new Float32Array(21),
    );
  });

  test('is the same for any order of its members, those that are equal included', () => {
    const twice = pick(rows, [...Array(40).keys(), 3, 3, 7], 6);
    const reversed = pick(twice, Array.from(twice.labels, (_, i) => i).reverse(), 6);
    for (const batch of [undefined, 8]) {
      const settings = settingsOf(batch ? { batch } : {});
      expect(fitSoftmax(plainKernel, trainer, shape, settings, reversed)).toEqual(
        fitSoftmax(plainKernel, trainer, shape, settings, twice),
      );
    }
  });

  test('is another for another seed, in its beginning and in its batches', () => {
    const of = (changes: Record<string, unknown>) =>
      fitSoftmax(plainKernel, trainer, shape, settingsOf(changes), rows);
    expect(of({ seed: 1 })).not.toEqual(of({ seed: 2 }));
    expect(of({ batch: 8 })).not.toEqual(of({}));
    expect(of({ batch: 40 })).toEqual(of({}));
    expect(of({ momentum: 0.9 })).toEqual(of({}));
  });

  test('tells apart what is far apart, and stays finite at the largest learning rate', () => {
    const far = rowsOf([
      { x: [100, 90, 0, 0, 0, 0], label: 0 },
      { x: [90, 100, 0, 0, 0, 0], label: 0 },
      { x: [0, 0, -100, 90, 0, 0], label: 2 },
    ]);
    const weights = fitSoftmax(plainKernel, trainer, shape, settingsOf({ steps: 50 }), far);
    const output = (x: readonly number[], c: number) =>
      x.reduce((sum, value, i) => sum + value * (weights[i * 3 + c] ?? 0), weights[18 + c] ?? 0);
    expect(output([95, 95, 0, 0, 0, 0], 0)).toBeGreaterThan(output([95, 95, 0, 0, 0, 0], 2) + 2);
    expect(output([0, 0, -90, 80, 0, 0], 2)).toBeGreaterThan(output([0, 0, -90, 80, 0, 0], 0) + 2);
    for (const members of [rows, rowsOf([{ x: [1, 2, 3, 4, 5, 6], label: 1 }]), far]) {
      const extreme = settingsOf({ momentum: 0.99, steps: 300 });
      expect(fitSoftmax(plainKernel, trainer, shape, extreme, members).every(Number.isFinite)).toBe(
        true,
      );
    }
  });

  test('has no more members than a backend holds', () => {
    const many = { encodings: new Int8Array(), labels: { length: 2 ** 27 } };
    expect(() => fitSoftmax(plainKernel, trainer, shape, settingsOf(), many)).toThrow(
      expect.objectContaining({ code: 'too_many_members', retry: 'stop' }),
    );
  });
});

describe('numbers drawn from a seed', () => {
  test('are the same for ever', () => {
    expect([...permutation(drawsFrom('seed'), 8)]).toEqual([7, 3, 2, 4, 1, 6, 5, 0]);
    expect([...nearNormals(drawsFrom('seed'), 2)]).toEqual([-1.7030792236328125, -1.9027099609375]);
  });

  test('make orders of which each is as likely, and each has every row once', () => {
    const draw = drawsFrom('orders');
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = permutation(draw, 3).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['012', '021', '102', '120', '201', '210']);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
