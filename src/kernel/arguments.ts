import { LegonetError } from '../errors.js';
import { MAX_PRODUCT_TERMS } from '../model/kernel.js';

/** An array and the dimensions it is said to have. */
type Sized = readonly [name: string, array: ArrayLike<number>, length: number];

/** Throws `kernel_argument` unless `sizes` are whole numbers from 0 and every array has its length. */
export function checkArguments(sizes: readonly number[], arrays: readonly Sized[]): void {
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
export function checkTerms(terms: number): void {
  if (terms <= MAX_PRODUCT_TERMS) return;
  const message = `at most ${MAX_PRODUCT_TERMS} terms fit an int32 sum, got ${terms}: split the rows`;
  throw new LegonetError('kernel_limit', message, 'stop');
}

export function notPositiveDefinite(row: number): LegonetError {
  const message = `pivot ${row} is not positive: the matrix is not positive definite, raise lambda`;
  return new LegonetError('not_positive_definite', message);
}
