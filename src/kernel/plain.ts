import type { Kernel } from '../model/kernel.js';
import { packedLength } from '../model/statistics.js';
import { checked, notPositiveDefinite } from './arguments.js';

/**
 * The definition of the arithmetic, in plain loops. Any other kernel must return these bits. Each
 * product and each sum is rounded on its own, in float64 (IEEE 754, ties to even). The bits of a NaN,
 * which only an input or an intermediate value beyond the range of float64 can cause, are not defined.
 */
export const plainKernel: Kernel = checked({
  name: 'plain',
  gram,
  addGram,
  outer,
  products,
  solve,
  combine,
});

function gram(x: Int8Array, rows: number, columns: number): Int32Array {
  const out = new Int32Array(packedLength(columns));
  addGram(out, x, rows, columns, 1);
  return out;
}

function addGram(
  sums: Int32Array,
  x: Int8Array,
  rows: number,
  columns: number,
  sign: 1 | -1,
): void {
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * columns, (r + 1) * columns);
    let at = 0;
    for (let i = 0; i < columns; i++) {
      const factor = sign * (row[i] as number);
      for (let j = i; j < columns; j++, at++) {
        sums[at] = (sums[at] as number) + factor * (row[j] as number);
      }
    }
  }
}

function outer(x: Int8Array, rows: number, columns: number): Int32Array {
  const out = new Int32Array(packedLength(rows));
  let at = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = i; j < rows; j++) out[at++] = dot(x, i * columns, x, j * columns, columns);
  }
  return out;
}

function products(a: Int8Array, p: number, b: Int8Array, q: number, columns: number): Int32Array {
  const out = new Int32Array(p * q);
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < q; j++) out[i * q + j] = dot(a, i * columns, b, j * columns, columns);
  }
  return out;
}

function dot(a: Int8Array, fromA: number, b: Int8Array, fromB: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += (a[fromA + k] as number) * (b[fromB + k] as number);
  return sum;
}

function solve(
  a: Int32Array | Float64Array,
  n: number,
  rhs: Float64Array,
  width: number,
  ridge = 0,
): Float64Array {
  const u = new Float64Array(a);
  for (let i = 0; i < n; i++) u[start(i, n)] = (u[start(i, n)] as number) + ridge;
  const w = rhs.slice();
  factor(u, n);
  forward(u, n, w, width);
  backward(u, n, w, width);
  return w;
}

/**
 * U of A = UᵀU in place, right-looking: once row k of U is final, it updates all rows below it. So
 * a(i, j) receives - u(k, i) · u(k, j) for k = 0, 1, ... i - 1, then √ (i = j) or ÷ u(i, i).
 */
function factor(u: Float64Array, n: number): void {
  for (let k = 0; k < n; k++) {
    const row = u.subarray(start(k, n), start(k + 1, n));
    const pivot = Math.sqrt(row[0] as number);
    if (!(pivot > 0)) throw notPositiveDefinite(k);
    row[0] = pivot;
    for (let j = 1; j < n - k; j++) row[j] = (row[j] as number) / pivot;
    let at = start(k + 1, n);
    for (let i = 1; i < n - k; i++) {
      for (let j = i; j < n - k; j++, at++) {
        u[at] = (u[at] as number) - (row[i] as number) * (row[j] as number);
      }
    }
  }
}

/** Uᵀy = r: y(i) = (r(i) - u(0, i) y(0) - u(1, i) y(1) - ... - u(i - 1, i) y(i - 1)) ÷ u(i, i). */
function forward(u: Float64Array, n: number, w: Float64Array, width: number): void {
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < width; c++) {
      let sum = w[i * width + c] as number;
      for (let k = 0; k < i; k++) {
        sum -= (u[start(k, n) + i - k] as number) * (w[k * width + c] as number);
      }
      w[i * width + c] = sum / (u[start(i, n)] as number);
    }
  }
}

/** Uw = y: w(i) = (y(i) - u(i, n - 1) w(n - 1) - u(i, n - 2) w(n - 2) - ... - u(i, i + 1) w(i + 1)) ÷ u(i, i). */
function backward(u: Float64Array, n: number, w: Float64Array, width: number): void {
  for (let i = n - 1; i >= 0; i--) {
    const row = start(i, n);
    for (let c = 0; c < width; c++) {
      let sum = w[i * width + c] as number;
      for (let k = n - 1; k > i; k--) {
        sum -= (u[row + k - i] as number) * (w[k * width + c] as number);
      }
      w[i * width + c] = sum / (u[row] as number);
    }
  }
}

function combine(
  x: Int8Array,
  rows: number,
  columns: number,
  c: Float64Array,
  width: number,
): Float64Array {
  const out = new Float64Array(columns * width);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const factor = x[i * columns + j] as number;
      for (let w = 0; w < width; w++) {
        const at = j * width + w;
        out[at] = (out[at] as number) + factor * (c[i * width + w] as number);
      }
    }
  }
  return out;
}

/** Where row i of a packed upper matrix [n] starts: at its diagonal element. */
const start = (i: number, n: number): number => packedLength(n) - packedLength(n - i);
