import { LegonetError } from '../errors.js';

/** Turns an encoder's output into the int8 encoding that is stored, hashed and trained on. */
export type Quantiser = {
  /** Length of the vectors that come in. */
  readonly inputDimension: number;
  /** Length of the int8 encodings that go out. */
  readonly dimension: number;
  readonly scale: number;
  readonly transform: 'none' | 'sqrt';
  /** Applied after the transform. */
  readonly projection?: Projection;
};

/** x becomes Mx + o. */
export type Projection = {
  /** M, row-major [dimension, inputDimension]. */
  readonly matrix: Float64Array;
  /** o, [dimension]. */
  readonly offset: Float64Array;
};

/**
 * 1.5 × 2⁵²: between 2⁵² and 2⁵³ float64 has integers only, so adding this rounds to the nearest one,
 * halves to the even one (IEEE 754 roundTiesToEven), and taking it away again is exact.
 */
const TO_INTEGER = 6755399441055744;

/** Round-half-to-even, clipped to ±127. */
export function toInt8(value: number): number {
  return Math.max(-127, Math.min(127, value)) + TO_INTEGER - TO_INTEGER;
}

/**
 * The int8 encoding of `values` [inputDimension]. Only + × √ and rounding in a fixed order, so it is
 * the same on every machine. Throws `wrong_dimension`, `not_finite` or `negative_value` (under √).
 */
export function quantise(quantiser: Quantiser, values: ArrayLike<number>): Int8Array {
  const { inputDimension, dimension, scale, projection } = quantiser;
  if (values.length !== inputDimension) {
    throw new LegonetError(
      'wrong_dimension',
      `encoding has ${values.length} numbers, the model takes ${inputDimension}`,
    );
  }
  const encoding = new Int8Array(dimension);
  if (!projection) {
    for (let i = 0; i < dimension; i++)
      encoding[i] = toInt8(transform(quantiser, values, i) * scale);
    return encoding;
  }
  const transformed = new Float64Array(inputDimension);
  for (let i = 0; i < inputDimension; i++) transformed[i] = transform(quantiser, values, i);
  const projected = project(projection, transformed);
  for (let i = 0; i < dimension; i++) {
    const scaled = (projected[i] as number) * scale;
    if (Number.isNaN(scaled)) {
      throw new LegonetError('not_finite', `encoding overflows at index ${i} after projection`);
    }
    encoding[i] = toInt8(scaled);
  }
  return encoding;
}

/** An encoding that is int8 already is taken as it is. Throws `wrong_dimension`. */
export function checkInt8(quantiser: Quantiser, values: Int8Array): Int8Array {
  if (values.length === quantiser.dimension) return values;
  throw new LegonetError(
    'wrong_dimension',
    `int8 encoding has ${values.length} numbers, the model takes ${quantiser.dimension}`,
  );
}

/** The value at an index, checked and transformed. */
function transform(quantiser: Quantiser, values: ArrayLike<number>, i: number): number {
  const value = values[i] ?? 0;
  if (!Number.isFinite(value)) {
    throw new LegonetError('not_finite', `encoding is not a finite number at index ${i}`);
  }
  if (quantiser.transform === 'none') return value;
  if (value < 0) {
    throw new LegonetError('negative_value', `encoding is negative at index ${i}, under sqrt`);
  }
  return Math.sqrt(value);
}

/**
 * Each sum runs over the columns in order, then takes its offset; four go side by side, for one alone waits
 * for its own additions.
 */
function project({ matrix, offset }: Projection, vector: Float64Array): Float64Array {
  const out = new Float64Array(offset.length);
  const columns = vector.length;
  let i = 0;
  for (; i + 4 <= out.length; i += 4) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let j = 0, at = i * columns; j < columns; j++, at++) {
      const value = vector[j] as number;
      a += (matrix[at] as number) * value;
      b += (matrix[at + columns] as number) * value;
      c += (matrix[at + 2 * columns] as number) * value;
      d += (matrix[at + 3 * columns] as number) * value;
    }
    out.set([a, b, c, d], i);
  }
  for (; i < out.length; i++) {
    for (let j = 0; j < columns; j++) {
      out[i] = (out[i] as number) + (matrix[i * columns + j] as number) * (vector[j] as number);
    }
  }
  return out.map((sum, row) => sum + (offset[row] as number));
}
