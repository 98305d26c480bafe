import { LegonetError } from '../errors.js';
import { littleEndian } from './bytes.js';
import { type Kernel, MAX_PRODUCT_TERMS } from './kernel.js';

/** The value of the constant feature that carries the bias: the quantiser's full scale. */
export const BIAS = 127;

/** Dimension and number of classes of an adapter. */
export type Shape = { readonly dimension: number; readonly classes: number };

/** Unknowns per class: one for each feature and one for the bias. */
export const unknowns = (shape: Shape): number => shape.dimension + 1;

/** Encodings, int8 [count, dimension] row-major, and the class index of each. */
export type Rows = {
  readonly encodings: Int8Array;
  readonly labels: ArrayLike<number>;
  /** The id of each, where keys follow from them. */
  readonly ids?: readonly string[];
};

/**
 * The sufficient statistics of a least-squares adapter: with x̃ = (x, BIAS), the sums G = X̃ᵀX̃ (packed
 * upper) followed by B = X̃ᵀY for one-hot Y, [unknowns, classes]. Integers, below 2³¹ in int32 while
 * `count` <= MAX_PRODUCT_TERMS and below 2⁵³ in float64 beyond, so that any order of adding and
 * subtracting gives the same bits.
 */
export type Statistics = { readonly count: number; readonly sums: Int32Array | Float64Array };

export const packedLength = (n: number): number => (n * (n + 1)) / 2;

const sumsLength = (shape: Shape): number =>
  packedLength(unknowns(shape)) + unknowns(shape) * shape.classes;

/** Of sums over no more members than fit 32 bits. */
export const sumsBytes = (shape: Shape): number => 4 * sumsLength(shape);

export function emptyStatistics(shape: Shape): Statistics {
  return { count: 0, sums: new Int32Array(sumsLength(shape)) };
}

/** X̃: `encodings` int8 [count, dimension] with the constant feature appended. */
function withBias(encodings: Int8Array, count: number, dimension: number): Int8Array {
  const out = new Int8Array(count * (dimension + 1));
  for (let i = 0; i < count; i++) {
    out.set(encodings.subarray(i * dimension, (i + 1) * dimension), i * (dimension + 1));
    out[i * (dimension + 1) + dimension] = BIAS;
  }
  return out;
}

/**
 * The statistics after adding (sign 1) or subtracting (sign -1) rows; the argument's sums are reused.
 * Throws `statistics_negative` if more rows are taken away than were there.
 */
export function accumulate(
  kernel: Kernel,
  statistics: Statistics,
  shape: Shape,
  rows: Rows,
  sign: 1 | -1,
): Statistics {
  const total = rows.labels.length;
  const count = statistics.count + sign * total;
  if (count < 0) {
    throw new LegonetError('statistics_negative', 'more members subtracted than added', 'stop');
  }
  const n = unknowns(shape);
  const sums = sized(statistics.sums, Math.max(count, statistics.count));
  for (let from = 0; from < total; from += PANEL) {
    const size = Math.min(PANEL, total - from);
    const part = rows.encodings.subarray(from * shape.dimension, (from + size) * shape.dimension);
    const x = withBias(part, size, shape.dimension);
    if (size < FEW && sums instanceof Int32Array) {
      kernel.addGram(sums.subarray(0, packedLength(n)), x, size, n, sign);
    } else {
      const gram = kernel.gram(x, size, n);
      // Nothing has been added yet: what takes the sums' place is a copy.
      if (statistics.count === 0 && from === 0) sums.set(gram);
      else addTo(sums, gram, sign);
    }
    addToClasses(sums, x, rows.labels, from, size, shape, sign);
  }
  return { count, sums: sized(sums, count) };
}

/** Rows to a kernel call: bounds the copy with the bias column. */
const PANEL = 8192;
/** Below so many rows, updating sums in place is cheaper than transposing rows and adding up. */
const FEW = 4;

function addTo(sums: Int32Array | Float64Array, gram: Int32Array, sign: number): void {
  for (let i = 0; i < gram.length; i++) sums[i] = (sums[i] as number) + sign * (gram[i] as number);
}

/** B: the sum of each class's rows, added up side by side before it is spread over B's columns. */
function addToClasses(
  sums: Int32Array | Float64Array,
  x: Int8Array,
  labels: ArrayLike<number>,
  from: number,
  size: number,
  shape: Shape,
  sign: number,
): void {
  const n = unknowns(shape);
  const rowsOf = new Map<number, number[]>();
  for (let r = 0; r < size; r++) {
    const label = labels[from + r] ?? 0;
    const rows = rowsOf.get(label) ?? [];
    rowsOf.set(label, rows);
    rows.push(r * n);
  }
  for (const [label, rows] of rowsOf) {
    const sum = sumOfRows(x, rows, n);
    for (let i = 0, at = packedLength(n) + label; i < n; i++, at += shape.classes) {
      sums[at] = (sums[at] as number) + sign * (sum[i] as number);
    }
  }
}

/** The sum of the rows that begin at `starts`, four to a pass: half the time of one to a pass. */
function sumOfRows(x: Int8Array, starts: readonly number[], n: number): Int32Array {
  const sum = new Int32Array(n);
  const at = (start: number | undefined, i: number) => x[(start as number) + i] as number;
  let r = 0;
  for (; r + 4 <= starts.length; r += 4) {
    const [a, b, c, d] = starts.slice(r, r + 4);
    for (let i = 0; i < n; i++) {
      sum[i] = (sum[i] as number) + at(a, i) + at(b, i) + at(c, i) + at(d, i);
    }
  }
  for (; r < starts.length; r++) {
    for (let i = 0; i < n; i++) sum[i] = (sum[i] as number) + at(starts[r], i);
  }
  return sum;
}

/** The narrowest array that holds sums over `count` members for certain. */
function sized(sums: Int32Array | Float64Array, count: number): Int32Array | Float64Array {
  const narrow = count <= MAX_PRODUCT_TERMS;
  if (narrow) return sums instanceof Int32Array ? sums : new Int32Array(sums);
  return sums instanceof Float64Array ? sums : new Float64Array(sums);
}

/** Storage form: little-endian int32 or float64, as the count demands. */
export function encodeStatistics({ sums }: Statistics): Uint8Array {
  return littleEndian(sums);
}

/** Inverse of `encodeStatistics`; takes `bytes` over. Throws `statistics_corrupt` when the length does not match. */
export function decodeStatistics(bytes: Uint8Array, count: number, shape: Shape): Statistics {
  const narrow = count <= MAX_PRODUCT_TERMS;
  if (bytes.length !== sumsLength(shape) * (narrow ? 4 : 8)) {
    throw new LegonetError('statistics_corrupt', 'stored statistics have the wrong length', 'stop');
  }
  const width = narrow ? 4 : 8;
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = littleEndian(aligned, width);
  const length = byteLength / width;
  const sums = narrow
    ? new Int32Array(buffer, byteOffset, length)
    : new Float64Array(buffer, byteOffset, length);
  return { count, sums };
}
