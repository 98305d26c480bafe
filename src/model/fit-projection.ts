import { EigenvalueDecomposition, Matrix as Square } from 'ml-matrix';
import { LegonetError } from '../errors.js';
import type { Matrix } from './model.js';

/** A projection as `encoder.projection` takes it, and what it keeps of the rows that it is made of. */
export type FittedProjection = {
  /** [components, dimension + 1]: the components, largest variance first, and what centres them. */
  readonly matrix: Matrix & { readonly values: Float64Array };
  /** With it the largest coordinate of these rows becomes 127: a scale for the encoder. */
  readonly scale: number;
  /** Share of the variance, 0 to 1. */
  readonly explained: number;
};

/**
 * Principal components of public reference rows, [rows, dimension], each taken through `transform` first.
 * What comes out is pinned by its digest, so it need not be the same to the bit on every machine. `onRow` is
 * told how many rows are summed. Throws `invalid_reference`.
 */
export function fitProjection(
  { rows, columns, values }: Matrix,
  transform: 'none' | 'sqrt',
  components: number,
  onRow: (done: number) => void = () => {},
): FittedProjection {
  if (components > Math.min(rows - 1, columns)) {
    throw invalid(`${rows} rows of ${columns} numbers have no ${components} components`);
  }
  const transformed = Float64Array.from(values, transform === 'sqrt' ? Math.sqrt : Number);
  if (!transformed.every(Number.isFinite)) {
    throw invalid(`every number must be finite${transform === 'sqrt' ? ' and not negative' : ''}`);
  }
  const { mean, covariance } = moments(transformed, rows, columns, onRow);
  const { variances, axes } = principalAxes(covariance, columns);
  const matrix = new Float64Array(components * (columns + 1));
  for (let i = 0; i < components; i++) {
    const axis = axes(i);
    matrix.set(axis, i * (columns + 1));
    matrix[i * (columns + 1) + columns] = -dot(axis, mean);
  }
  const total = variances.reduce((sum, variance) => sum + variance, 0);
  const kept = variances.slice(0, components).reduce((sum, variance) => sum + variance, 0);
  return {
    matrix: { rows: components, columns: columns + 1, values: matrix },
    scale: 127 / farthest(transformed, matrix, rows, columns),
    explained: total > 0 ? kept / total : 1,
  };
}

function moments(x: Float64Array, rows: number, columns: number, onRow: (done: number) => void) {
  const mean = new Float64Array(columns);
  for (let at = 0; at < x.length; at++) {
    const i = at % columns;
    mean[i] = (mean[i] as number) + (x[at] as number) / rows;
  }
  const covariance = new Float64Array(columns * columns);
  const row = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < columns; i++) row[i] = (x[r * columns + i] as number) - (mean[i] as number);
    for (let i = 0, at = 0; i < columns; i++) {
      const factor = (row[i] as number) / rows;
      for (let j = 0; j < columns; j++, at++) {
        covariance[at] = (covariance[at] as number) + factor * (row[j] as number);
      }
    }
    onRow(r + 1);
  }
  return { mean, covariance };
}

/** The largest variance first; of an axis and its opposite, the one whose largest element is positive. */
function principalAxes(covariance: Float64Array, columns: number) {
  const square = Square.from1DArray(columns, columns, covariance);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(square, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((variance, column) => ({ variance, column }))
    .sort((a, b) => b.variance - a.variance);
  const axes = (i: number): Float64Array => {
    const axis = Float64Array.from(eigenvectorMatrix.getColumn(order[i]?.column ?? 0));
    const largest = axis.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
    return largest < 0 ? axis.map((value) => -value) : axis;
  };
  return { variances: order.map(({ variance }) => Math.max(0, variance)), axes };
}

function farthest(x: Float64Array, matrix: Float64Array, rows: number, columns: number): number {
  let most = 0;
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * columns, (r + 1) * columns);
    for (let at = 0; at < matrix.length; at += columns + 1) {
      const value = dot(matrix.subarray(at, at + columns), row) + (matrix[at + columns] as number);
      most = Math.max(most, Math.abs(value));
    }
  }
  if (most > 0) return most;
  throw invalid('all rows are the same');
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

const invalid = (reason: string): LegonetError => new LegonetError('invalid_reference', reason);
