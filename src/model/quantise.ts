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

/** Rounds to the nearest integer, halves to the even one (IEEE 754 roundTiesToEven). */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** round-half-to-even, clipped to ±127. */
export function toInt8(value: number): number {
  return Math.max(-127, Math.min(127, roundHalfToEven(value)));
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
  const transformed = transform(quantiser, values);
  const encoding = new Int8Array(dimension);
  for (let i = 0; i < dimension; i++) {
    const value = projection ? dot(projection, i * inputDimension, transformed) : transformed[i];
    const scaled = (value ?? 0) * scale;
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

function transform(quantiser: Quantiser, values: ArrayLike<number>): Float64Array {
  const out = new Float64Array(values);
  for (let i = 0; i < out.length; i++) {
    const value = out[i] ?? 0;
    if (!Number.isFinite(value)) {
      throw new LegonetError('not_finite', `encoding is not a finite number at index ${i}`);
    }
    if (quantiser.transform === 'sqrt') {
      if (value < 0) {
        throw new LegonetError('negative_value', `encoding is negative at index ${i}, under sqrt`);
      }
      out[i] = Math.sqrt(value);
    }
  }
  return out;
}

function dot(matrix: Float64Array, offset: number, vector: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < vector.length; j++) sum += (matrix[offset + j] ?? 0) * (vector[j] ?? 0);
  return sum;
}
