import { LegonetError } from '../errors.js';

/** Turns an encoder's output into the int8 encoding that is stored, hashed and trained on. */
export type Quantiser = {
  /** Length of the vectors that come in. */
  readonly inputDimension: number;
  /** Length of the int8 encodings that go out. */
  readonly dimension: number;
  readonly scale: number;
  readonly transform: 'none' | 'sqrt';
  /** Row-major [dimension, inputDimension], applied after the transform. */
  readonly projection?: Float64Array;
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
  for (let i = 0; i < dimension; i++) {
    const scaled = dot(projection, i * inputDimension, transformed) * scale;
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

function dot(matrix: Float64Array, offset: number, vector: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < vector.length; j++) sum += (matrix[offset + j] ?? 0) * (vector[j] ?? 0);
  return sum;
}
