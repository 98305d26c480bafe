import type { Machine, WorkingMemory } from './memory.js';

/** Terms to a panel, a multiple of 8: two strips of as many stay in the first-level cache. */
const TERMS = 512;
/** Vectors of each side to a panel of `products`, multiples of 8. */
const P = 512;
const Q = 1024;
/** Bytes of a strip (eight vectors as int16) per term, and of a row of eight sums. */
const TERM = 16;
const EIGHT = 32;

export function gram(
  memory: WorkingMemory,
  x: Int8Array,
  rows: number,
  columns: number,
): Int32Array {
  const strips = Math.ceil(columns / 8);
  const panel = panelTerms(rows);
  const sizes = {
    raw: panel * columns,
    packed: strips * panel * TERM,
    sums: triangleRow(strips, strips),
  };
  return memory.use(sizes, (machine, at) => {
    const { int8, bytes } = machine;
    bytes.fill(0, at.sums, at.sums + sizes.sums);
    for (let from = 0; from < rows; from += panel) {
      const part = x.subarray(from * columns, Math.min(from + panel, rows) * columns);
      bytes.set(part, at.raw);
      bytes.fill(0, at.raw + part.length, at.raw + sizes.raw);
      int8.packColumns(at.raw, columns, panel / 2, strips, at.packed);
      addTriangle(machine, at.packed, strips, panel, at.sums);
    }
    return readTriangle(machine, at.sums, strips, columns);
  });
}

export function addGram(
  memory: WorkingMemory,
  sums: Int32Array,
  x: Int8Array,
  rows: number,
  columns: number,
  sign: 1 | -1,
): void {
  const length = sums.length;
  memory.use({ sums: 4 * length, row: 4 * columns }, ({ int8, ints }, at) => {
    const [first, row] = [at.sums / 4, at.row / 4];
    ints.set(sums, first);
    for (let r = 0; r < rows; r++) {
      ints.set(x.subarray(r * columns, (r + 1) * columns), row);
      int8.addSquares(at.sums, at.row, columns, sign);
    }
    sums.set(ints.subarray(first, first + length));
  });
}

export function outer(
  memory: WorkingMemory,
  x: Int8Array,
  rows: number,
  columns: number,
): Int32Array {
  const strips = Math.ceil(rows / 8);
  const panel = panelTerms(columns);
  const sizes = {
    raw: 8 * panel,
    packed: strips * panel * TERM,
    sums: triangleRow(strips, strips),
  };
  return memory.use(sizes, (machine, at) => {
    machine.bytes.fill(0, at.sums, at.sums + sizes.sums);
    for (let from = 0; from < columns; from += panel) {
      packRows(machine, { x, rows, columns, from, panel }, at.raw, at.packed);
      addTriangle(machine, at.packed, strips, panel, at.sums);
    }
    return readTriangle(machine, at.sums, strips, rows);
  });
}

export function products(
  memory: WorkingMemory,
  a: Int8Array,
  p: number,
  b: Int8Array,
  q: number,
  columns: number,
): Int32Array {
  const out = new Int32Array(p * q);
  const panel = panelTerms(columns);
  const sizes = {
    raw: 8 * panel,
    a: Math.ceil(Math.min(P, p) / 8) * panel * TERM,
    b: Math.ceil(Math.min(Q, q) / 8) * panel * TERM,
    sums: 4 * P * Q,
  };
  memory.use(sizes, (machine, at) => {
    for (let fromP = 0; fromP < p; fromP += P) {
      for (let fromQ = 0; fromQ < q; fromQ += Q) {
        const left = slice(a, fromP, Math.min(P, p - fromP), columns);
        const right = slice(b, fromQ, Math.min(Q, q - fromQ), columns);
        multiplyPanel(machine, left, right, panel, at);
        const stride = (EIGHT / 4) * Math.ceil(right.rows / 8);
        for (let i = 0; i < left.rows; i++) {
          const sums = at.sums / 4 + i * stride;
          out.set(machine.ints.subarray(sums, sums + right.rows), (fromP + i) * q + fromQ);
        }
      }
    }
  });
  return out;
}

/** Some rows of an int8 matrix, [rows, columns]. */
type Matrix = { readonly x: Int8Array; readonly rows: number; readonly columns: number };

function slice(x: Int8Array, from: number, rows: number, columns: number): Matrix {
  return { x: x.subarray(from * columns, (from + rows) * columns), rows, columns };
}

/** ABᵀ of one panel of each side into `at.sums`, int32 in whole strips. */
function multiplyPanel(
  machine: Machine,
  a: Matrix,
  b: Matrix,
  panel: number,
  at: Readonly<Record<'raw' | 'a' | 'b' | 'sums', number>>,
): void {
  const aStrips = Math.ceil(a.rows / 8);
  const bStrips = Math.ceil(b.rows / 8);
  const stride = bStrips * EIGHT;
  machine.bytes.fill(0, at.sums, at.sums + aStrips * 8 * stride);
  for (let from = 0; from < a.columns; from += panel) {
    packRows(machine, { ...a, from, panel }, at.raw, at.a);
    packRows(machine, { ...b, from, panel }, at.raw, at.b);
    for (let s = 0; s < aStrips; s++) {
      const strip = at.a + s * panel * TERM;
      machine.int8.multiply(strip, at.b, bStrips, panel / 2, at.sums + s * 8 * stride, stride);
    }
  }
}

/** Strips of all rows of `x`, terms [from, from + panel), with zeros where there are none. */
function packRows(
  machine: Machine,
  part: Matrix & { readonly from: number; readonly panel: number },
  raw: number,
  packed: number,
): void {
  const { x, rows, columns, from, panel } = part;
  const terms = Math.min(panel, columns - from);
  if (terms < panel) machine.bytes.fill(0, raw, raw + 8 * panel);
  for (let s = 0; s * 8 < rows; s++) {
    for (let i = 0; i < Math.min(8, rows - s * 8); i++) {
      const start = (s * 8 + i) * columns + from;
      machine.bytes.set(x.subarray(start, start + terms), raw + i * panel);
    }
    machine.int8.packRows(raw, panel, packed + s * panel * TERM);
  }
}

/** Panels of equal size, a multiple of 8, at most TERMS. */
function panelTerms(terms: number): number {
  const panels = Math.ceil(terms / TERMS);
  return panels === 0 ? 8 : 8 * Math.ceil(terms / panels / 8);
}

/**
 * The sums of a triangle of strips: for strip t the eight rows of its products with strips t, t + 1,
 * ... one row after the other. Returns where those of strip t start, in bytes.
 */
function triangleRow(strips: number, t: number): number {
  return 8 * EIGHT * (t * strips - (t * (t - 1)) / 2);
}

function addTriangle(
  machine: Machine,
  packed: number,
  strips: number,
  panel: number,
  sums: number,
): void {
  for (let t = 0; t < strips; t++) {
    const strip = packed + t * panel * TERM;
    const to = sums + triangleRow(strips, t);
    machine.int8.multiply(strip, strip, strips - t, panel / 2, to, (strips - t) * EIGHT);
  }
}

/** Packed upper [n] from the sums of its strips. */
function readTriangle(machine: Machine, sums: number, strips: number, n: number): Int32Array {
  const out = new Int32Array((n * (n + 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) {
    const t = i >> 3;
    const row = i & 7;
    const from = (sums + triangleRow(strips, t) + row * (strips - t) * EIGHT) / 4 + row;
    out.set(machine.ints.subarray(from, from + n - i), at);
    at += n - i;
  }
  return out;
}
