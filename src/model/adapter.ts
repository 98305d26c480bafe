import { createHash } from 'node:crypto';
import { littleEndian } from './bytes.js';
import type { Kernel } from './kernel.js';
import {
  accumulate,
  BIAS,
  emptyStatistics,
  packedLength,
  type Rows,
  type Shape,
  type Statistics,
  unknowns,
} from './statistics.js';

/** Weights of one adapter: float32 [dimension + 1, classes], row-major, the last row the bias. */
export type Weights = Float32Array;

/**
 * The dual system (on X̃X̃ᵀ) is the smaller one while there are fewer members than unknowns. The rule
 * depends on nothing else: both forms solve the same problem, but not to the same last bit.
 */
export function isDual(members: number, shape: Shape): boolean {
  return members < unknowns(shape);
}

/**
 * A least-squares adapter with bias (LegoNet section 3.3, squared loss, ridge-regularised):
 * W = (X̃ᵀX̃ + μI)⁻¹X̃ᵀY with μ = lambda · trace(X̃ᵀX̃) / unknowns, rounded to float32 at the end.
 * A function of the set of members: their order does not matter. Without members, zeros.
 */
export function fitAdapter(kernel: Kernel, shape: Shape, lambda: number, rows: Rows): Weights {
  if (!isDual(rows.labels.length, shape)) {
    const statistics = accumulate(kernel, emptyStatistics(shape), shape, rows, 1);
    return fitFromStatistics(kernel, shape, lambda, statistics);
  }
  return fitDual(kernel, shape, lambda, rows);
}

/** The primal form, from the statistics alone. */
export function fitFromStatistics(
  kernel: Kernel,
  shape: Shape,
  lambda: number,
  statistics: Statistics,
): Weights {
  const n = unknowns(shape);
  const a = statistics.sums.subarray(0, packedLength(n));
  const b = new Float64Array(statistics.sums.subarray(packedLength(n)));
  const solution = kernel.solve(a, n, b, shape.classes, (lambda / n) * trace(a, n));
  return rounded(solution, shape);
}

function fitDual(kernel: Kernel, shape: Shape, lambda: number, rows: Rows): Weights {
  const count = rows.labels.length;
  if (count === 0) return new Float32Array(unknowns(shape) * shape.classes);
  const { encodings: x, labels } = canonicalRows(rows, shape.dimension, unknowns(shape));
  const oneHot = new Float64Array(count * shape.classes);
  labels.forEach((label, i) => {
    oneHot[i * shape.classes + label] = 1;
  });
  const a = kernel.outer(x, count, unknowns(shape));
  const ridge = (lambda / unknowns(shape)) * trace(a, count);
  const alpha = kernel.solve(a, count, oneHot, shape.classes, ridge);
  return rounded(kernel.combine(x, count, unknowns(shape), alpha, shape.classes), shape);
}

/** Of a packed upper matrix [n]. */
function trace(a: Int32Array | Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[packedLength(n) - packedLength(n - i)] ?? 0;
  return sum;
}

/**
 * Members in an order that depends on their content alone (encoding bytes, then label): floating point
 * rounds differently for another order, and neither arrival nor ids may reach the weights. In rows of as many
 * `columns`: beyond the dimension there is BIAS.
 */
export function canonicalRows(rows: Rows, dimension: number, columns = dimension) {
  const bytes = Buffer.from(
    rows.encodings.buffer,
    rows.encodings.byteOffset,
    rows.encodings.byteLength,
  );
  const label = (i: number): number => rows.labels[i] ?? 0;
  const order = Array.from({ length: rows.labels.length }, (_, i) => i);
  // Most differ in their first bytes, which are compared faster as numbers.
  const first = order.map((i) => (dimension < 4 ? 0 : bytes.readUInt32BE(i * dimension)));
  const compare = (i: number, j: number): number =>
    bytes.compare(bytes, j * dimension, (j + 1) * dimension, i * dimension, (i + 1) * dimension);
  order.sort(
    (i, j) => (first[i] as number) - (first[j] as number) || compare(i, j) || label(i) - label(j),
  );
  const encodings = new Int8Array(order.length * columns).fill(BIAS);
  order.forEach((from, to) => {
    encodings.set(rows.encodings.subarray(from * dimension, (from + 1) * dimension), to * columns);
  });
  return { encodings, labels: order.map(label) };
}

function rounded(solution: Float64Array, shape: Shape): Weights {
  const weights = new Float32Array(solution);
  const bias = shape.dimension * shape.classes;
  for (let c = 0; c < shape.classes; c++) weights[bias + c] = BIAS * (solution[bias + c] ?? 0);
  return weights;
}

/** Canonical bytes: little-endian float32. */
export function weightsBytes(weights: Weights): Uint8Array {
  return littleEndian(weights);
}

/** Inverse of `weightsBytes`, in a buffer of their own. */
export function readWeights(bytes: Uint8Array): Weights {
  return new Float32Array(littleEndian(new Uint8Array(bytes), 4).buffer);
}

/** SHA-256 of the canonical bytes, hex. */
export function weightsDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
