import { describe, expect, test } from 'vitest';
import { covarianceNorm } from '#src/model/covariance.js';
import { kernels } from '../support/kernels.js';
import { syntheticRows } from '../support/models.js';

/** The sum of the squares of the covariance's elements, each worked out alone. */
function plainNorm(x: Int8Array, count: number, mean: Float64Array): number {
  const d = mean.length;
  let squares = 0;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let sum = 0;
      for (let r = 0; r < count; r++) {
        sum += ((x[r * d + i] ?? 0) - (mean[i] ?? 0)) * ((x[r * d + j] ?? 0) - (mean[j] ?? 0));
      }
      squares += (sum / count) ** 2;
    }
  }
  return Math.sqrt(squares);
}

function meanOf(x: Int8Array, count: number, dimension: number): Float64Array {
  const mean = new Float64Array(dimension);
  x.forEach((value, at) => {
    mean[at % dimension] = (mean[at % dimension] ?? 0) + value / count;
  });
  return mean;
}

describe.each(kernels)('the norm of a covariance on the $name kernel', (kernel) => {
  test.each([
    [5, 12],
    [12, 12],
    [40, 12],
  ])('of %i rows with %i numbers is that of its elements', (count, dimension) => {
    const { encodings } = syntheticRows('covariance', count, dimension, 2);
    const mean = meanOf(encodings, count, dimension);
    const expected = plainNorm(encodings, count, mean);
    expect(covarianceNorm(kernel, encodings, count, mean) / expected).toBeCloseTo(1, 12);
  });

  test('of one row, or of rows that are alike, is zero', () => {
    const row = Int8Array.of(3, -4, 5);
    expect(covarianceNorm(kernel, row, 1, Float64Array.from(row))).toBe(0);
    const four = Int8Array.from([...row, ...row, ...row, ...row]);
    expect(covarianceNorm(kernel, four, 4, Float64Array.from(row))).toBe(0);
  });
});
