/**
 * The exact arithmetic a model is built from. Every implementation returns the same bits:
 * the integer products are exact, and each float64 element receives its updates in one fixed
 * order (`src/kernel/plain.ts` is the definition). Symmetric matrices are "packed upper": row i
 * holds elements (i, i) ... (i, n-1), rows follow each other, n(n+1)/2 in all.
 */
export interface Kernel {
  readonly name: 'wasm' | 'plain';
  /** XᵀX of `x` int8 [rows, columns], packed upper [columns]. rows <= MAX_PRODUCT_TERMS. */
  gram(x: Int8Array, rows: number, columns: number): Int32Array;
  /**
   * Adds `sign` times XᵀX of `x` int8 [rows, columns] to `sums` packed upper [columns], in place: for a few rows in less
   * time than `gram`. As many products in all as a sum holds: MAX_PRODUCT_TERMS.
   */
  addGram(sums: Int32Array, x: Int8Array, rows: number, columns: number, sign: 1 | -1): void;
  /** XXᵀ of `x` int8 [rows, columns], packed upper [rows]. columns <= MAX_PRODUCT_TERMS. */
  outer(x: Int8Array, rows: number, columns: number): Int32Array;
  /** ABᵀ of `a` int8 [p, columns] and `b` int8 [q, columns], row-major [p, q]. */
  products(a: Int8Array, p: number, b: Int8Array, q: number, columns: number): Int32Array;
  /**
   * Solves (A + ridge · I)W = R by Cholesky (A + ridge · I = UᵀU). `a` packed upper [n], `rhs` row-major
   * [n, width]. Neither is changed. Throws `not_positive_definite` if a pivot is not positive.
   */
  solve(
    a: Int32Array | Float64Array,
    n: number,
    rhs: Float64Array,
    width: number,
    ridge?: number,
  ): Float64Array;
  /** XᵀC of `x` int8 [rows, columns] and `c` float64 [rows, width], row-major [columns, width]. */
  combine(
    x: Int8Array,
    rows: number,
    columns: number,
    c: Float64Array,
    width: number,
  ): Float64Array;
}

/** So many products of two int8 values (at most 128² each) stay below 2³¹. */
export const MAX_PRODUCT_TERMS = 131_071;
