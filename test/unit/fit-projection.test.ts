import { expect, test } from 'vitest';
import { fitProjection } from '#src/model/fit-projection.js';

/** Rows along two axes of the plane x + y + z = 6, four times as far along the first. */
const points = [-2, -1, 0, 1, 2].flatMap((a) =>
  [-1, 1].map((b) => [2 + 4 * a + b, 2 - 4 * a + b, 2 - 2 * b]),
);
const matrix = (rows: readonly (readonly number[])[]) => ({
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
  values: Float64Array.from(rows.flat()),
});

const coordinates = (fitted: ReturnType<typeof fitProjection>, point: readonly number[]) => {
  const { rows, columns, values } = fitted.matrix;
  return Array.from({ length: rows }, (_, i) =>
    [...point, 1].reduce((sum, x, j) => sum + x * (values[i * columns + j] ?? 0), 0),
  );
};

test('the axes of a known ellipse are found, the longest first, and its centre becomes zero', () => {
  const fitted = fitProjection(matrix(points), 'none', 2);
  const [first, second] = [fitted.matrix.values.slice(0, 3), fitted.matrix.values.slice(4, 7)];
  const along = (axis: Float64Array, ...expected: number[]) => {
    const dot = expected.reduce((sum, x, i) => sum + x * (axis[i] ?? 0), 0);
    return Math.abs(dot) / Math.hypot(...expected);
  };
  expect(along(first, 1, -1, 0)).toBeCloseTo(1, 12);
  expect(along(second, 1, 1, -2)).toBeCloseTo(1, 12);
  for (const value of coordinates(fitted, [2, 2, 2])) expect(value).toBeCloseTo(0, 12);
  expect(fitted.explained).toBeCloseTo(1, 12);
});

test('the scale takes the farthest coordinate to the end of int8', () => {
  const fitted = fitProjection(matrix(points), 'none', 2);
  const all = points.flatMap((point) => coordinates(fitted, point).map(Math.abs));
  expect(Math.max(...all) * fitted.scale).toBeCloseTo(127, 9);
});

test('what is fitted under sqrt is fitted to the roots', () => {
  const squares = points.map((row) => row.map((x) => (x + 10) ** 2));
  const shifted = points.map((row) => row.map((x) => x + 10));
  const [a, b] = [
    fitProjection(matrix(squares), 'sqrt', 2),
    fitProjection(matrix(shifted), 'none', 2),
  ];
  a.matrix.values.forEach((value, i) => {
    expect(value).toBeCloseTo(b.matrix.values[i] ?? 0, 9);
  });
});

test('the share of the variance counts what is left out', () => {
  // Variances 4² · 2 · 2 and 6: of a sum of 38, by hand.
  const along = points.map(([x = 0, y = 0]) => (x - y) / Math.SQRT2);
  const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const first = mean(along.map((x) => x * x));
  expect(fitProjection(matrix(points), 'none', 1).explained).toBeCloseTo(first / (first + 6), 12);
});

test.each([
  ['4 rows of 3 numbers have no 4 components', points.slice(0, 4), 'none', 4],
  ['3 rows of 3 numbers have no 3 components', points.slice(0, 3), 'none', 3],
  [
    'every number must be finite and not negative',
    [
      [1, 2],
      [1, -1],
      [4, 4],
    ],
    'sqrt',
    1,
  ],
  [
    'all rows are the same',
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
    'none',
    1,
  ],
] as const)('%s', (message, rows, transform, components) => {
  expect(() => fitProjection(matrix(rows), transform, components)).toThrow(
    expect.objectContaining({ code: 'invalid_reference', message }),
  );
});
