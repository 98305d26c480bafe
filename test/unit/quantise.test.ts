import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkInt8,
  type Projection,
  type Quantiser,
  quantise,
  toInt8,
} from '#src/model/quantise.js';

const identity = (dimension: number, changes: Partial<Quantiser> = {}): Quantiser => ({
  inputDimension: dimension,
  dimension,
  scale: 1,
  transform: 'none',
  ...changes,
});

/** A projection without offset, to two dimensions. */
const unmoved = (...matrix: number[]): Projection => ({
  matrix: Float64Array.from(matrix),
  offset: new Float64Array(2),
});

describe('rounding', () => {
  test.each([
    [0, 0],
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [3.5, 4],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [-3.5, -4],
    [0.49999999999999994, 0],
    [0.5000000000000001, 1],
    [2.4999999999999996, 2],
    [2.5000000000000004, 3],
    [-1.2, -1],
    [-1.7, -2],
    [126.5, 126],
    [125.5, 126],
    [5e-324, 0],
  ])('%d becomes %d: halves go to the even neighbour', (value, expected) => {
    expect(toInt8(value) + 0).toBe(expected);
  });

  test('is symmetric and never more than a half away', () => {
    fc.assert(
      fc.property(fc.double({ min: -127, max: 127, noNaN: true }), (value) => {
        const rounded = toInt8(value);
        expect(Number.isInteger(rounded)).toBe(true);
        expect(Math.abs(rounded - value)).toBeLessThanOrEqual(0.5);
        expect(toInt8(-value) + 0).toBe(-rounded + 0);
      }),
    );
  });

  test.each([
    [127, 127],
    [127.4, 127],
    [127.5, 127],
    [128, 127],
    [1e300, 127],
    [Number.POSITIVE_INFINITY, 127],
    [-127.5, -127],
    [-128, -127],
    [Number.NEGATIVE_INFINITY, -127],
  ])('%d is clipped to %d: -128 is never made, so the range is symmetric', (value, expected) => {
    expect(toInt8(value)).toBe(expected);
  });
});

describe('quantise', () => {
  test('multiplies by the scale, rounds and clips', () => {
    const encoding = quantise(identity(6, { scale: 7 }), [0, 0.5, 16, 18.2, -3, -100]);
    expect(encoding).toEqual(Int8Array.of(0, 4, 112, 127, -21, -127));
  });

  test('takes the square root before the scale', () => {
    const encoding = quantise(identity(4, { scale: 10, transform: 'sqrt' }), [0, 0.25, 2, 1000]);
    expect(encoding).toEqual(Int8Array.of(0, 5, 14, 127));
  });

  test('projects after the square root and before the scale', () => {
    const quantiser: Quantiser = {
      inputDimension: 3,
      dimension: 2,
      scale: 10,
      transform: 'sqrt',
      projection: unmoved(1, 2, 3, -1, 0.5, 0),
    };
    // √(1, 4, 9) = (1, 2, 3): 1 + 4 + 9 = 14 is clipped at 140, and -1 + 1 = 0.
    expect(quantise(quantiser, [1, 4, 9])).toEqual(Int8Array.of(127, 0));
    expect(quantise(quantiser, [0, 0.25, 0.01])).toEqual(Int8Array.of(13, 2));
  });

  test('adds each offset after its sum, however many dimensions go side by side', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 5 }), (out, input) => {
        const numbers = (count: number) =>
          Float64Array.from({ length: count }, (_, i) => Math.sin(7 * i + out) * 9);
        const projection = { matrix: numbers(out * input), offset: numbers(out) };
        const values = Array.from({ length: input }, (_, j) => Math.cos(j));
        const expected = Array.from({ length: out }, (_, i) => {
          let sum = 0;
          for (let j = 0; j < input; j++)
            sum += (projection.matrix[i * input + j] ?? 0) * (values[j] ?? 0);
          return toInt8(sum + (projection.offset[i] ?? 0));
        });
        const quantiser = identity(input, { dimension: out, projection });
        expect([...quantise(quantiser, values)]).toEqual(expected.map((value) => value + 0));
      }),
    );
  });

  test('gives the same bytes for float32 input as for the same values in float64', () => {
    const values = Float32Array.of(0.1, 0.2, 0.7, 1 / 3);
    const quantiser = identity(4, { scale: 51.83673469387755, transform: 'sqrt' });
    expect(quantise(quantiser, values)).toEqual(quantise(quantiser, [...values]));
  });

  test('overflow to infinity is clipped like any large number', () => {
    expect(quantise(identity(1, { scale: 1e10 }), [1e300])).toEqual(Int8Array.of(127));
  });

  test.each([
    ['wrong_dimension', identity(2), [1]],
    ['wrong_dimension', identity(2), [1, 2, 3]],
    ['not_finite', identity(2), [1, Number.NaN]],
    ['not_finite', identity(2), [Number.NEGATIVE_INFINITY, 1]],
    ['negative_value', identity(2, { transform: 'sqrt' }), [1, -0.001]],
    [
      'not_finite',
      identity(2, {
        dimension: 1,
        projection: { ...unmoved(1e10, -1e10), offset: Float64Array.of(0) },
      }),
      [1e300, 1e300],
    ],
  ] as const)('%s: %o is refused, not repaired', (code, quantiser, values) => {
    expect(() => quantise(quantiser, values)).toThrow(expect.objectContaining({ code }));
  });

  test('an int8 encoding is taken as it is, -128 included, if its length fits', () => {
    const encoding = Int8Array.of(-128, 0, 127);
    expect(checkInt8(identity(3), encoding)).toBe(encoding);
    expect(() => checkInt8(identity(4), encoding)).toThrow(
      expect.objectContaining({ code: 'wrong_dimension' }),
    );
  });
});
