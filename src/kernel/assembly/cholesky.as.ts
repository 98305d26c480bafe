// Cholesky and its triangular solves in float64. Each element receives its updates one at a time in
// the order that src/kernel/plain.ts defines; tiles and blocks only choose which element is next.
//
// A "strip" holds four columns: row k is 32 bytes, rows follow each other. Strip s of the upper
// triangle has its rows 0 to 4s + 3, so that the strips of a matrix follow each other without gaps.
// A "tile" is four rows of a strip, 128 bytes.

const ROW: usize = 32;
const TILE: usize = 128;

function stripOf(u: usize, s: usize): usize {
  return u + 64 * s * (s + 1);
}

/** Tile c -= Σ a(k, 0..3)ᵀ b(k, 0..3) over `rows` rows of the strips `a` and `b`, k ascending. */
export function update(a: usize, b: usize, c: usize, rows: usize): void {
  let c00 = v128.load(c),
    c01 = v128.load(c, 16),
    c10 = v128.load(c, 32),
    c11 = v128.load(c, 48);
  let c20 = v128.load(c, 64),
    c21 = v128.load(c, 80),
    c30 = v128.load(c, 96),
    c31 = v128.load(c, 112);
  for (const end = b + rows * ROW; b < end; a += ROW, b += ROW) {
    const b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let ai = v128.load64_splat(a);
    c00 = f64x2.sub(c00, f64x2.mul(ai, b0));
    c01 = f64x2.sub(c01, f64x2.mul(ai, b1));
    ai = v128.load64_splat(a, 8);
    c10 = f64x2.sub(c10, f64x2.mul(ai, b0));
    c11 = f64x2.sub(c11, f64x2.mul(ai, b1));
    ai = v128.load64_splat(a, 16);
    c20 = f64x2.sub(c20, f64x2.mul(ai, b0));
    c21 = f64x2.sub(c21, f64x2.mul(ai, b1));
    ai = v128.load64_splat(a, 24);
    c30 = f64x2.sub(c30, f64x2.mul(ai, b0));
    c31 = f64x2.sub(c31, f64x2.mul(ai, b1));
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c10, 32);
  v128.store(c, c11, 48);
  v128.store(c, c20, 64);
  v128.store(c, c21, 80);
  v128.store(c, c30, 96);
  v128.store(c, c31, 112);
}

/**
 * Brings `strip` up to date with rows [from, to) of U, all four-aligned: its tiles from tile `first` to
 * `last` receive these rows' updates, and those within the rows become final. With `diagonal`, tile
 * `last` of the strip is on the diagonal. Returns the first row whose pivot is not positive, or -1.
 */
export function advance(
  u: usize,
  strip: usize,
  first: usize,
  last: usize,
  from: usize,
  to: usize,
  diagonal: bool,
): i32 {
  for (let t = first; t <= last; t++) {
    const c = strip + t * TILE,
      own = stripOf(u, t);
    update(own + from * ROW, strip + from * ROW, c, min(t * 4, to) - from);
    if (t * 4 >= to) continue;
    if (diagonal && t == last) {
      const failed = factorTile(c);
      if (failed >= 0) return <i32>(t * 4) + failed;
    } else {
      solveTile(own + t * TILE, c);
    }
  }
  return -1;
}

/** U of a tile on the diagonal. What is below the diagonal is never read. */
function factorTile(c: usize): i32 {
  for (let k: usize = 0; k < 4; k++) {
    const row = c + k * ROW,
      pivot = f64.sqrt(f64.load(row + k * 8));
    if (!(pivot > 0)) return <i32>k;
    f64.store(row + k * 8, pivot);
    for (let j = k + 1; j < 4; j++) f64.store(row + j * 8, f64.load(row + j * 8) / pivot);
    for (let i: usize = k + 1; i < 4; i++) {
      const factor = f64.load(row + i * 8),
        other = c + i * ROW;
      for (let j = i; j < 4; j++) {
        f64.store(other + j * 8, f64.load(other + j * 8) - factor * f64.load(row + j * 8));
      }
    }
  }
  return -1;
}

/** c := U⁻ᵀ c for the diagonal tile U: forward substitution, ascending. */
function solveTile(u: usize, c: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    let low = v128.load(c + i * ROW),
      high = v128.load(c + i * ROW, 16);
    for (let k: usize = 0; k < i; k++) {
      const factor = v128.load64_splat(u + k * ROW + i * 8);
      low = f64x2.sub(low, f64x2.mul(factor, v128.load(c + k * ROW)));
      high = f64x2.sub(high, f64x2.mul(factor, v128.load(c + k * ROW, 16)));
    }
    const pivot = v128.load64_splat(u + i * ROW + i * 8);
    v128.store(c + i * ROW, f64x2.div(low, pivot));
    v128.store(c + i * ROW, f64x2.div(high, pivot), 16);
  }
}

/** Backward substitution of tile `s` of a right-hand side, and of its part in all tiles above. */
export function retreat(u: usize, s: usize, rhs: usize): void {
  const own = stripOf(u, s),
    x = rhs + s * TILE;
  backTile(own + s * TILE, x);
  for (let t: usize = 0; t < s; t++) updateBack(own + t * TILE, x, rhs + t * TILE);
}

/** x := U⁻¹ x for the diagonal tile U, each element's terms in descending order. */
function backTile(u: usize, x: usize): void {
  for (let i: usize = 4; i-- > 0; ) {
    let low = v128.load(x + i * ROW),
      high = v128.load(x + i * ROW, 16);
    for (let k: usize = 3; k > i; k--) {
      const factor = v128.load64_splat(u + i * ROW + k * 8);
      low = f64x2.sub(low, f64x2.mul(factor, v128.load(x + k * ROW)));
      high = f64x2.sub(high, f64x2.mul(factor, v128.load(x + k * ROW, 16)));
    }
    const pivot = v128.load64_splat(u + i * ROW + i * 8);
    v128.store(x + i * ROW, f64x2.div(low, pivot));
    v128.store(x + i * ROW, f64x2.div(high, pivot), 16);
  }
}

/** Tile c -= tile u · tile x, each element's terms in descending order. */
function updateBack(u: usize, x: usize, c: usize): void {
  const x00 = v128.load(x),
    x01 = v128.load(x, 16),
    x10 = v128.load(x, 32),
    x11 = v128.load(x, 48);
  const x20 = v128.load(x, 64),
    x21 = v128.load(x, 80),
    x30 = v128.load(x, 96),
    x31 = v128.load(x, 112);
  for (const end = u + TILE; u < end; u += ROW, c += ROW) {
    let low = v128.load(c),
      high = v128.load(c, 16);
    let factor = v128.load64_splat(u, 24);
    low = f64x2.sub(low, f64x2.mul(factor, x30));
    high = f64x2.sub(high, f64x2.mul(factor, x31));
    factor = v128.load64_splat(u, 16);
    low = f64x2.sub(low, f64x2.mul(factor, x20));
    high = f64x2.sub(high, f64x2.mul(factor, x21));
    factor = v128.load64_splat(u, 8);
    low = f64x2.sub(low, f64x2.mul(factor, x10));
    high = f64x2.sub(high, f64x2.mul(factor, x11));
    factor = v128.load64_splat(u);
    v128.store(c, f64x2.sub(low, f64x2.mul(factor, x00)));
    v128.store(c, f64x2.sub(high, f64x2.mul(factor, x01)), 16);
  }
}

/** Elements (i, i) to (i, n - 1) at `row` into the strips of the upper triangle [n]. */
export function setRow(u: usize, i: usize, n: usize, row: usize): void {
  let j = i;
  for (; j & 3; j++, row += 8) f64.store(stripOf(u, j >> 2) + i * ROW + (j & 3) * 8, f64.load(row));
  for (; j < n; j += 4, row += ROW) {
    const to = stripOf(u, j >> 2) + i * ROW;
    v128.store(to, v128.load(row));
    v128.store(to, v128.load(row, 16), 16);
  }
}

/**
 * `rows` rows of `x`, float64 [rows, width], into strips `height` bytes apart. The last strip takes up
 * to three values past a row; they stay in columns of their own, which are not read.
 */
export function setStrips(first: usize, height: usize, rows: i32, x: usize, width: usize): void {
  for (let i = 0; i < rows; i++, first += ROW, x += width * 8) {
    let to = first;
    for (let j: usize = 0; j < width; j += 4, to += height) {
      v128.store(to, v128.load(x + j * 8));
      v128.store(to, v128.load(x + j * 8, 16), 16);
    }
  }
}

/** The reverse of `setStrips`. Writes up to three values past the last row. */
export function getStrips(first: usize, height: usize, rows: i32, x: usize, width: usize): void {
  for (let i = 0; i < rows; i++, first += ROW, x += width * 8) {
    let from = first;
    for (let j: usize = 0; j < width; j += 4, from += height) {
      v128.store(x + j * 8, v128.load(from));
      v128.store(x + j * 8, v128.load(from, 16), 16);
    }
  }
}

/**
 * As `setStrips` for int8 `x`, negated: `update` subtracts, and a - (-x)c is a + xc to the last bit.
 */
export function setNegated(first: usize, height: usize, rows: i32, x: usize, width: usize): void {
  for (let i = 0; i < rows; i++, first += ROW, x += width) {
    let to = first;
    for (let j: usize = 0; j < width; j += 4, to += height) {
      const words = i16x8.extend_low_i8x16_s(v128.load32_zero(x + j));
      const low = i32x4.extend_low_i16x8_s(words);
      const high = v128.shuffle<i64>(low, low, 1, 0);
      v128.store(to, f64x2.neg(f64x2.convert_low_i32x4_s(low)));
      v128.store(to, f64x2.neg(f64x2.convert_low_i32x4_s(high)), 16);
    }
  }
}
