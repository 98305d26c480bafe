import { notPositiveDefinite } from './arguments.js';
import type { Machine, WorkingMemory } from './memory.js';

/** Bytes of a row of a strip (four float64), and of a tile (four such rows). */
const ROW = 32;
const TILE = 128;
/** Rows to a panel of a dense matrix: bounds copies, and strips of a panel stay in cache. */
const PANEL = 256;

/**
 * A is extended in front, to a multiple of four, by rows of the identity: their updates, x - 0 · 0,
 * change no bit of any x. The right-hand sides are treated as further columns of A, so that the
 * factorisation is their forward substitution as well. `block`: rows to a panel, a multiple of four.
 */
export function solve(
  memory: WorkingMemory,
  block: number,
  a: Int32Array | Float64Array,
  n: number,
  rhs: Float64Array,
  width: number,
  ridge = 0,
): Float64Array {
  const tiles = Math.ceil(n / 4);
  const front = 4 * tiles - n;
  const strips = Math.ceil(width / 4);
  const height = tiles * TILE;
  const sizes = {
    raw: 8 * Math.max(4 * tiles, PANEL * width),
    u: stripOf(0, tiles),
    rhs: strips * height,
  };
  return memory.use(sizes, (machine, at) => {
    writeTriangle(machine, at, { a, n, front, ridge });
    machine.bytes.fill(0, at.rhs, at.rhs + sizes.rhs);
    const dense = { at: at.rhs + front * ROW, height, raw: at.raw, rows: n, width };
    writeStrips(machine, dense, rhs);
    const failed = factor(machine, at, { tiles, strips, block });
    if (failed >= 0) throw notPositiveDefinite(failed - front);
    for (let t = tiles - 1; t >= 0; t--) {
      for (let s = 0; s < strips; s++) machine.cholesky.retreat(at.u, t, at.rhs + s * height);
    }
    return readStrips(machine, dense);
  });
}

/** U in place of A, and U⁻ᵀR in place of R. Returns the first row whose pivot is not positive, or -1. */
function factor(
  { cholesky }: Machine,
  { u, rhs }: { readonly u: number; readonly rhs: number },
  size: { readonly tiles: number; readonly strips: number; readonly block: number },
): number {
  const rows = 4 * size.tiles;
  const last = size.tiles - 1;
  for (let from = 0; from < rows; from += size.block) {
    const to = Math.min(from + size.block, rows);
    for (let s = from / 4; s < size.tiles; s++) {
      const failed = cholesky.advance(u, stripOf(u, s), from / 4, s, from, to, 1);
      if (failed >= 0) return failed;
    }
    for (let s = 0; s < size.strips; s++) {
      cholesky.advance(u, rhs + s * size.tiles * TILE, from / 4, last, from, to, 0);
    }
  }
  return -1;
}

export function combine(
  memory: WorkingMemory,
  x: Int8Array,
  rows: number,
  columns: number,
  c: Float64Array,
  width: number,
): Float64Array {
  const tiles = Math.ceil(columns / 4);
  const strips = Math.ceil(width / 4);
  const height = tiles * TILE;
  const sizes = {
    raw: PANEL * Math.max(columns, 8 * width),
    x: tiles * PANEL * ROW,
    c: strips * PANEL * ROW,
    sums: strips * height,
  };
  return memory.use(sizes, (machine, at) => {
    const { cholesky, bytes, doubles } = machine;
    bytes.fill(0, at.sums, at.sums + sizes.sums);
    for (let from = 0; from < rows; from += PANEL) {
      const to = Math.min(from + PANEL, rows);
      bytes.set(x.subarray(from * columns, to * columns), at.raw);
      cholesky.setNegated(at.x, PANEL * ROW, to - from, at.raw, columns);
      doubles.set(c.subarray(from * width, to * width), at.raw / 8);
      cholesky.setStrips(at.c, PANEL * ROW, to - from, at.raw, width);
      for (let t = 0; t < tiles; t++) {
        const left = at.x + t * PANEL * ROW;
        for (let s = 0; s < strips; s++) {
          const sums = at.sums + s * height + t * TILE;
          cholesky.update(left, at.c + s * PANEL * ROW, sums, to - from);
        }
      }
    }
    return readStrips(machine, { at: at.sums, height, raw: at.raw, rows: columns, width });
  });
}

/** Where strip s of the upper triangle at `u` starts: strips 0 to s - 1 have 4, 8, ... 4s rows. */
function stripOf(u: number, s: number): number {
  return u + 64 * s * (s + 1);
}

/** The packed upper matrix `a` [n], `ridge` on its diagonal, into strips, after `front` rows of the identity. */
function writeTriangle(
  { cholesky, doubles }: Machine,
  at: { readonly raw: number; readonly u: number },
  matrix: {
    readonly a: Int32Array | Float64Array;
    readonly n: number;
    readonly front: number;
    readonly ridge: number;
  },
): void {
  const { a, n, front, ridge } = matrix;
  const raw = at.raw / 8;
  doubles.fill(0, raw, raw + front + n);
  doubles[raw] = 1;
  for (let i = 0; i < front; i++) cholesky.setRow(at.u, i, front + n, at.raw);
  let from = 0;
  for (let i = 0; i < n; i++) {
    doubles.set(a.subarray(from, from + n - i), raw);
    doubles[raw] = (doubles[raw] as number) + ridge;
    cholesky.setRow(at.u, front + i, front + n, at.raw);
    from += n - i;
  }
}

/** A dense [rows, width] matrix as strips `height` bytes apart, with room for PANEL rows at `raw`. */
type Dense = {
  readonly at: number;
  readonly height: number;
  readonly raw: number;
  readonly rows: number;
  readonly width: number;
};

function writeStrips({ cholesky, doubles }: Machine, dense: Dense, values: Float64Array): void {
  const { at, height, raw, rows, width } = dense;
  for (let from = 0; from < rows; from += PANEL) {
    const to = Math.min(from + PANEL, rows);
    doubles.set(values.subarray(from * width, to * width), raw / 8);
    cholesky.setStrips(at + from * ROW, height, to - from, raw, width);
  }
}

function readStrips({ cholesky, doubles }: Machine, dense: Dense): Float64Array {
  const { at, height, raw, rows, width } = dense;
  const out = new Float64Array(rows * width);
  for (let from = 0; from < rows; from += PANEL) {
    const to = Math.min(from + PANEL, rows);
    cholesky.getStrips(at + from * ROW, height, to - from, raw, width);
    const values = raw / 8;
    out.set(doubles.subarray(values, values + (to - from) * width), from * width);
  }
  return out;
}
