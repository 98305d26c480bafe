import { describe, expect, test } from 'vitest';
import { activate, prepareKeys } from '#src/model/activation.js';
import { kernels } from '../support/kernels.js';

describe.each(kernels)('activation on the $name kernel', (kernel) => {
  const line = prepareKeys(Int8Array.of(0, 10, 20, 30), 4, 1);

  test('gives the nearest keys, nearest first', () => {
    expect([...activate(kernel, line, Int8Array.of(22, -128), 2, 3)]).toEqual([2, 3, 1, 0, 1, 2]);
  });

  test('of equal distances the lower id comes first, and is kept when only one fits', () => {
    expect([...activate(kernel, line, Int8Array.of(15), 1, 4)]).toEqual([1, 2, 0, 3]);
    expect([...activate(kernel, line, Int8Array.of(15), 1, 1)]).toEqual([1]);
    const same = prepareKeys(new Int8Array(6).fill(5), 3, 2);
    expect([...activate(kernel, same, Int8Array.of(-1, 7), 1, 2)]).toEqual([0, 1]);
  });

  test('distance is L2, not the inner product', () => {
    const keys = prepareKeys(Int8Array.of(127, 127, 1, 1), 2, 2);
    expect([...activate(kernel, keys, Int8Array.of(2, 2), 1, 1)]).toEqual([1]);
  });

  test('the extremes of int8 do not overflow at the largest dimension', () => {
    const d = 4096;
    const values = new Int8Array(2 * d).fill(-128);
    values.fill(127, d);
    const encodings = new Int8Array(2 * d).fill(127);
    encodings.fill(-128, d);
    expect([...activate(kernel, prepareKeys(values, 2, d), encodings, 2, 2)]).toEqual([1, 0, 0, 1]);
  });

  test('no samples, no memberships', () => {
    expect(activate(kernel, line, new Int8Array(0), 0, 2)).toHaveLength(0);
  });

  test('of many encodings is that of each, and those that are too many are refused', () => {
    const many = Int8Array.from({ length: 2500 }, (_, i) => (i * 37) % 127);
    const each = [...many].flatMap((x) => [...activate(kernel, line, Int8Array.of(x), 1, 2)]);
    expect([...activate(kernel, line, many, many.length, 2)]).toEqual(each);
    for (const count of [0, 1023, 2499, 2501]) {
      expect(() => activate(kernel, line, many, count, 2)).toThrow(
        expect.objectContaining({ code: 'kernel_argument' }),
      );
    }
  });
});
