import { describe, expect, test } from 'vitest';
import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { Kernel } from '#src/model/kernel.js';

/** Next to 2⁵⁴ a float64 is a multiple of 2 below and of 4 above: what is added first decides. */
const BIG = 2 ** 54;
const kernels: Kernel[] = [plainKernel, await loadWasmKernel()];

// Cases small enough to be worked out by hand: they pin the definition itself.
describe.each(kernels)('the $name kernel', (kernel) => {
  const solve = (a: number[], rhs: number[]): number[] => [
    ...kernel.solve(Float64Array.from(a), rhs.length, Float64Array.from(rhs), 1),
  ];

  test('multiplies columns, rows, and the rows of two matrices', () => {
    const x = Int8Array.of(1, 2, 3, -4, 5, 6);
    expect([...kernel.gram(x, 3, 2)]).toEqual([35, 20, 56]);
    expect([...kernel.gram(x, 2, 3)]).toEqual([17, -18, -21, 29, 36, 45]);
    expect([...kernel.outer(x, 2, 3)]).toEqual([14, 24, 77]);
    expect([...kernel.products(x, 3, Int8Array.of(-128, 127), 1, 2)]).toEqual([126, -892, 122]);
  });

  test('adds the products of rows to sums, or takes them away, in place', () => {
    const sums = Int32Array.of(1, 2, 3);
    kernel.addGram(sums, Int8Array.of(1, 2, 3, -4), 2, 2, 1);
    expect([...sums]).toEqual([11, -8, 23]);
    kernel.addGram(sums, Int8Array.of(3, -4), 1, 2, -1);
    expect([...sums]).toEqual([2, 4, 7]);
  });

  test('solves a system whose factor is whole numbers exactly', () => {
    // U = [[2, 1, 3], [0, 4, 1], [0, 0, 5]]
    expect(solve([4, 2, 6, 17, 7, 35], [26, 57, 125])).toEqual([1, 2, 3]);
  });

  test('solves for several right-hand sides, stored row by row', () => {
    const solution = kernel.solve(Float64Array.of(4, 2, 5), 2, Float64Array.of(6, 8, 7, 4), 2);
    expect([...solution]).toEqual([1, 2, 1, 0]);
  });

  test('subtracts the updates of a pivot in ascending order', () => {
    // The last column of U is (2²⁷, 1, 1, √2): 2⁵⁴ + 4 - 2⁵⁴ - 1 - 1 = 2, in descending order 4.
    const a = [1, 0, 0, 2 ** 27, 1, 0, 1, 1, 1, BIG + 4];
    expect(solve(a, [0, 0, 0, 1])[3]).toBe(1 / Math.SQRT2 / Math.SQRT2);
  });

  test('substitutes forward in ascending order', () => {
    // y(2) = 2⁵⁴ - 2⁵⁴ - 1 = -1, in descending order 0.
    expect(solve([1, 0, 1, 1, 1, 3], [BIG, 1, BIG])).toEqual([BIG, 2, -1]);
  });

  test('substitutes backward in descending order', () => {
    // w(0) = 2⁵⁴ - 2⁵⁴ + 2 = 2, in ascending order 0.
    expect(solve([1, 1, 1, 2, 1, 2], [BIG, BIG - 2, 2 * BIG])).toEqual([2, -2, BIG]);
  });

  test('divides by a pivot rather than multiplying by its reciprocal', () => {
    expect(49 * (1 / 49)).not.toBe(1);
    expect(solve([49 ** 2], [49 ** 2])).toEqual([1]);
  });

  test('rounds a product before it subtracts it: no fused multiply-add', () => {
    // u(0, 1) = 1 + 2⁻³⁰, whose square rounds to 1 + 2⁻²⁹; fused, the pivot would not be √(2⁻²⁹).
    const u = 1 + 2 ** -30;
    const pivot = Math.sqrt(2 ** -29);
    expect(solve([1, u, 1 + 2 ** -28], [0, 1])[1]).toBe(1 / pivot / pivot);
  });

  test('combines rows in ascending order from positive zero', () => {
    const sum = kernel.combine(Int8Array.of(1, 1, 1), 3, 1, Float64Array.of(1, BIG, -BIG), 1);
    expect([...sum]).toEqual([0]);
    const zero = kernel.combine(Int8Array.of(0), 1, 1, Float64Array.of(-1), 1);
    expect(Object.is(zero[0], 0)).toBe(true);
    const two = kernel.combine(Int8Array.of(1, 2, -3, 4), 2, 2, Float64Array.of(5, 6, 7, 8), 2);
    expect([...two]).toEqual([-16, -18, 38, 44]);
  });

  test.each([
    [[1, 2, 2], 'pivot 1'],
    [[0, 0, 1], 'pivot 0'],
    [[-1, 0, 1], 'pivot 0'],
    [[Number.NaN, 0, 1], 'pivot 0'],
  ])('refuses %j, which is not positive definite, and names the row', (a, pivot) => {
    expect(() => solve(a, [1, 1])).toThrow(
      expect.objectContaining({
        code: 'not_positive_definite',
        message: expect.stringContaining(`${pivot} is not positive`),
      }),
    );
  });

  test('refuses arguments whose lengths do not match the sizes', () => {
    const x = new Int8Array(5);
    const f = new Float64Array(5);
    const refused = expect.objectContaining({ code: 'kernel_argument' });
    expect(() => kernel.gram(x, 2, 3)).toThrow(refused);
    expect(() => kernel.outer(x, 2, 2)).toThrow(refused);
    expect(() => kernel.addGram(new Int32Array(3), x, 2, 2, 1)).toThrow(refused);
    expect(() => kernel.addGram(new Int32Array(4), x, 2, 2, 1)).toThrow(refused);
    expect(() => kernel.addGram(new Int32Array(16), x, 1, 5, 1)).toThrow(refused);
    expect(() => kernel.gram(x, 0.5, 10)).toThrow(refused);
    expect(() => kernel.gram(x, -1, -5)).toThrow(refused);
    expect(() => kernel.products(x, 5, x, 4, 1)).toThrow(refused);
    expect(() => kernel.products(x, 4, x, 5, 1)).toThrow(refused);
    expect(() => kernel.solve(f, 2, f, 1)).toThrow(refused);
    expect(() => kernel.solve(f.subarray(0, 3), 2, f, 2)).toThrow(refused);
    expect(() => kernel.combine(x, 5, 1, f, 2)).toThrow(refused);
    expect(() => kernel.combine(x, 5, 2, f, 1)).toThrow(refused);
  });

  test('refuses more terms than an int32 sum is certain to hold', () => {
    const x = new Int8Array(131_072);
    const refused = expect.objectContaining({ code: 'kernel_limit' });
    expect(() => kernel.gram(x, 131_072, 1)).toThrow(refused);
    expect(() => kernel.outer(x, 1, 131_072)).toThrow(refused);
    expect(() => kernel.products(x, 1, x, 1, 131_072)).toThrow(refused);
  });
});

test.each([0, -4, 3, 2.5, Number.NaN])('a block of %d rows is refused', async (block) => {
  await expect(loadWasmKernel({ block })).rejects.toMatchObject({ code: 'kernel_argument' });
});
