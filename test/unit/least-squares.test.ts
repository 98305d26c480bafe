import { describe, expect, test } from 'vitest';
import { fitAdapter, fitFromStatistics, isDual } from '#src/model/adapter.js';
import type { Kernel } from '#src/model/kernel.js';
import { accumulate, emptyStatistics, type Rows, type Shape } from '#src/model/statistics.js';
import { kernels } from '../support/kernels.js';
import { rowsOf, syntheticRows } from '../support/models.js';

const fitPrimal = (kernel: Kernel, shape: Shape, lambda: number, rows: Rows): Float32Array =>
  fitFromStatistics(
    kernel,
    shape,
    lambda,
    accumulate(kernel, emptyStatistics(shape), shape, rows, 1),
  );

function expectWeights(weights: Float32Array, expected: readonly number[]): void {
  expect(weights).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs((weights[i] ?? Number.NaN) - value), `weight ${i}`).toBeLessThan(1e-7);
  });
}

describe.each(kernels)('least squares on the $name kernel', (kernel) => {
  const line = { dimension: 1, classes: 2 };
  const plane = { dimension: 2, classes: 2 };

  // x̃ = (127, 127) and (-127, 127): G = 2·127² I, trace 4·127², μ = λ·2·127² = 2·127² at λ = 1.
  // B = 127 [[1, -1], [1, 1]], so W = B / (4·127²) = [[1, -1], [1, 1]] / 508; the bias times 127.
  test('the primal form gives the weights worked out by hand on a line', () => {
    const rows = rowsOf([
      { x: [127], label: 0 },
      { x: [-127], label: 1 },
    ]);
    expect(isDual(2, line)).toBe(false);
    expectWeights(fitAdapter(kernel, line, 1, rows), [1 / 508, -1 / 508, 1 / 4, 1 / 4]);
  });

  // x̃ = (127, 127): K = 2·127², μ = λ·2·127²/2 = 2·127² at λ = 2, so α = 1 / (4·127²) for class 0
  // and W = x̃ᵀα = 1/508 in both rows; the bias times 127. Class 1 has no member: zeros.
  test('the dual form gives the weights worked out by hand for one member', () => {
    const rows = rowsOf([{ x: [127], label: 0 }]);
    expect(isDual(1, line)).toBe(true);
    expectWeights(fitAdapter(kernel, line, 2, rows), [1 / 508, 0, 1 / 4, 0]);
  });

  // K = 127² [[2, 1], [1, 2]], trace 4·127², μ = λ·4·127²/3 = 127² at λ = 3/4.
  // (K + μI)⁻¹ = [[3, -1], [-1, 3]] / (8·127²) = α, and W = X̃ᵀα = [[3, -1], [-1, 3], [2, 2]] / 1016.
  test('the dual form gives the weights worked out by hand in the plane', () => {
    const rows = rowsOf([
      { x: [127, 0], label: 0 },
      { x: [0, 127], label: 1 },
    ]);
    const expected = [3 / 1016, -1 / 1016, -1 / 1016, 3 / 1016, 1 / 4, 1 / 4];
    expectWeights(fitAdapter(kernel, plane, 3 / 4, rows), expected);
    expectWeights(fitPrimal(kernel, plane, 3 / 4, rows), expected);
  });

  // G = 127² [[1, 0, 1], [0, 1, 1], [1, 1, 3]], trace 5·127², μ = λ·5·127²/3 = 127² at λ = 3/5.
  // (G + μI)⁻¹ = [[7, 1, -2], [1, 7, -2], [-2, -2, 4]] / (12·127²), B = 127 [[1, 0], [0, 1], [1, 2]]:
  // W = [[5, -3], [-1, 3], [2, 6]] / 1524.
  test('the primal form gives the weights worked out by hand in the plane', () => {
    const rows = rowsOf([
      { x: [127, 0], label: 0 },
      { x: [0, 127], label: 1 },
      { x: [0, 0], label: 1 },
    ]);
    const expected = [5 / 1524, -3 / 1524, -1 / 1524, 3 / 1524, 1 / 6, 1 / 2];
    expectWeights(fitAdapter(kernel, plane, 3 / 5, rows), expected);
  });

  // Only the bias has data: G = diag(0, 3·127²), μ = λ·3·127²/2, B = (0, 3·127) for class 0, so the
  // bias is 3 / (3 + 3λ/2) = 1 / (1 + λ/2): regularised like any other weight.
  test('members at the origin teach the bias alone, shrunk by lambda', () => {
    const rows = rowsOf([0, 0, 0].map((label) => ({ x: [0], label })));
    expectWeights(fitAdapter(kernel, line, 0.5, rows), [0, 0, 0.8, 0]);
    expectWeights(fitAdapter(kernel, line, 1e-9, rows), [0, 0, 1, 0]);
  });

  test('an adapter without members is all zeros', () => {
    const weights = fitAdapter(kernel, plane, 0.01, rowsOf([]));
    expect(weights).toEqual(new Float32Array(6));
  });

  test('the dual form is used while there are fewer members than unknowns, bias included', () => {
    expect(
      [0, 1, 7, 8, 9, 100].map((members) => isDual(members, { ...line, dimension: 8 })),
    ).toEqual([true, true, true, true, false, false]);
  });

  test.each([1, 2, 8, 31])('both forms solve the same problem, at dimension %i', (d) => {
    const shape = { dimension: d, classes: 3 };
    const fewer = syntheticRows(`fewer ${d}`, d, d, 3);
    expectWeights(fitAdapter(kernel, shape, 0.01, fewer), [
      ...fitPrimal(kernel, shape, 0.01, fewer),
    ]);

    // One feature that is always 0 makes room for one more member in the dual form. It leaves the
    // solution alone once lambda makes up for the larger divisor of the trace.
    const enough = syntheticRows(`enough ${d}`, d + 1, d, 3);
    const wider = { dimension: d + 1, classes: 3 };
    const padded = { encodings: withZeroFeature(enough.encodings, d), labels: enough.labels };
    expect([isDual(d + 1, shape), isDual(d + 1, wider)]).toEqual([false, true]);
    const weights = [...fitAdapter(kernel, wider, (0.01 * (d + 2)) / (d + 1), padded)];
    expect(weights.splice(d * 3, 3)).toEqual([0, 0, 0]);
    expectWeights(fitAdapter(kernel, shape, 0.01, enough), weights);
  });
});

function withZeroFeature(encodings: Int8Array, dimension: number): Int8Array {
  const rows = encodings.length / dimension;
  const out = new Int8Array(rows * (dimension + 1));
  for (let i = 0; i < rows; i++) {
    out.set(encodings.subarray(i * dimension, (i + 1) * dimension), i * (dimension + 1));
  }
  return out;
}
