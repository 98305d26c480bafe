import { type Kernel, MAX_PRODUCT_TERMS } from './kernel.js';

/**
 * The Frobenius norm of the covariance of rows, `x` int8 [count, dimension] with the given mean: no eigenvalue is
 * greater, and it is at most their sum. From the smaller of two exact products, as the dual form of least squares.
 */
export function covarianceNorm(
  kernel: Kernel,
  x: Int8Array,
  count: number,
  mean: Float64Array,
): number {
  const dimension = mean.length;
  if (count < dimension) {
    return centredNorm(kernel.outer(x, count, dimension), count) / count;
  }
  return momentsNorm(moments(kernel, x, count, dimension), count, mean);
}

/** XᵀX, packed upper: integers, whatever the number of rows. */
function moments(kernel: Kernel, x: Int8Array, count: number, dimension: number): Float64Array {
  const sums = new Float64Array((dimension * (dimension + 1)) / 2);
  for (let from = 0; from < count; from += MAX_PRODUCT_TERMS) {
    const rows = Math.min(MAX_PRODUCT_TERMS, count - from);
    const part = x.subarray(from * dimension, (from + rows) * dimension);
    kernel.gram(part, rows, dimension).forEach((sum, at) => {
      sums[at] = (sums[at] as number) + sum;
    });
  }
  return sums;
}

/** Of XᵀX / count - mean meanᵀ. */
function momentsNorm(sums: Float64Array, count: number, mean: Float64Array): number {
  return packedNorm(
    mean.length,
    (at, i, j) => (sums[at] as number) / count - (mean[i] as number) * (mean[j] as number),
  );
}

/** Of XXᵀ with the mean of its rows and of its columns taken away: that of its other product too. */
function centredNorm(products: Int32Array, count: number): number {
  const means = new Float64Array(count);
  eachPacked(count, (at, i, j) => {
    const product = products[at] as number;
    means[i] = (means[i] as number) + product;
    if (i !== j) means[j] = (means[j] as number) + product;
  });
  let all = 0;
  means.forEach((sum, i) => {
    means[i] = sum / count;
    all += sum / count;
  });
  all /= count;
  return packedNorm(
    count,
    (at, i, j) => (products[at] as number) - (means[i] as number) - (means[j] as number) + all,
  );
}

function packedNorm(n: number, element: (at: number, i: number, j: number) => number): number {
  let squares = 0;
  eachPacked(n, (at, i, j) => {
    squares += (i === j ? 1 : 2) * element(at, i, j) ** 2;
  });
  return Math.sqrt(squares);
}

function eachPacked(n: number, visit: (at: number, i: number, j: number) => void): void {
  let at = 0;
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) visit(at++, i, j);
}
