import { LegonetError } from '../errors.js';
import { type Kernel, MAX_PRODUCT_TERMS } from '../model/kernel.js';
import { packedLength } from '../model/statistics.js';

/** An array and the dimensions it is said to have. */
type Sized = readonly [name: string, array: ArrayLike<number>, length: number];

/** The same kernel, which refuses arguments that do not fit each other: `kernel_argument`, `kernel_limit`. */
export function checked(kernel: Kernel): Kernel {
  return {
    name: kernel.name,
    gram: (x, rows, columns) => {
      checkArguments([rows, columns], [['x', x, rows * columns]]);
      checkTerms(rows);
      return kernel.gram(x, rows, columns);
    },
    addGram: (sums, x, rows, columns, sign) => {
      const arrays: Sized[] = [
        ['sums', sums, packedLength(columns)],
        ['x', x, rows * columns],
      ];
      checkArguments([rows, columns], arrays);
      kernel.addGram(sums, x, rows, columns, sign);
    },
    outer: (x, rows, columns) => {
      checkArguments([rows, columns], [['x', x, rows * columns]]);
      checkTerms(columns);
      return kernel.outer(x, rows, columns);
    },
    products: (a, p, b, q, columns) => {
      const arrays: Sized[] = [
        ['a', a, p * columns],
        ['b', b, q * columns],
      ];
      checkArguments([p, q, columns], arrays);
      checkTerms(columns);
      return kernel.products(a, p, b, q, columns);
    },
    solve: (a, n, rhs, width, ridge) => {
      const arrays: Sized[] = [
        ['a', a, packedLength(n)],
        ['rhs', rhs, n * width],
      ];
      checkArguments([n, width], arrays);
      return kernel.solve(a, n, rhs, width, ridge);
    },
    combine: (x, rows, columns, c, width) => {
      const arrays: Sized[] = [
        ['x', x, rows * columns],
        ['c', c, rows * width],
      ];
      checkArguments([rows, columns, width], arrays);
      return kernel.combine(x, rows, columns, c, width);
    },
  };
}

/** Throws `kernel_argument` unless `sizes` are whole numbers from 0 and every array has its length. */
function checkArguments(sizes: readonly number[], arrays: readonly Sized[]): void {
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new LegonetError('kernel_argument', `sizes must be whole numbers: ${sizes}`, 'stop');
  }
  for (const [name, array, length] of arrays) {
    if (array.length === length) continue;
    const message = `${name} must have ${length} elements, has ${array.length}`;
    throw new LegonetError('kernel_argument', message, 'stop');
  }
}

/** Throws `kernel_limit` when an int32 sum of `terms` int8 products could overflow. */
function checkTerms(terms: number): void {
  if (terms <= MAX_PRODUCT_TERMS) return;
  const message = `at most ${MAX_PRODUCT_TERMS} terms fit an int32 sum, got ${terms}: split the rows`;
  throw new LegonetError('kernel_limit', message, 'stop');
}

export function notPositiveDefinite(row: number): LegonetError {
  const message = `pivot ${row} is not positive: the matrix is not positive definite, raise lambda`;
  return new LegonetError('not_positive_definite', message);
}
