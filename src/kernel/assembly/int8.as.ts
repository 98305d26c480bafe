// Exact products of int8 vectors, summed in int32.
//
// A "strip" holds eight vectors side by side as int16: for each pair of terms (k, k + 1) 32 bytes,
// the pair of vector 0, of vector 1, ... of vector 7. `dot_i16x8_s` then multiplies a pair of one
// vector, splatted, with the pairs of four others, so that each int32 lane sums one element of the
// result and none has to be added across lanes. Strips follow each other.

/** Bytes of one pair of terms in a strip. */
const PAIR: usize = 32;

/**
 * Adds the products of the eight vectors of strip `a` with those of `count` strips from `b` on to
 * `c`, int32 [8, 8 * count] with rows `stride` bytes apart. Every strip has `pairs` pairs (even).
 */
export function multiply(
  a: usize,
  b: usize,
  count: i32,
  pairs: i32,
  c: usize,
  stride: usize,
): void {
  const length = <usize>pairs * PAIR;
  for (let s = 0; s < count; s++) {
    tile(a, b, length, c, stride);
    tile(a + 16, b, length, c + 4 * stride, stride);
    b += length;
    c += 32;
  }
}

/**
 * Four vectors by eight: as many sums as fit the sixteen registers of x86-64 with their operands. One load for
 * the four, spread from its register: V8 moves the loads of a loop to its start, and more would be spilled.
 */
function tile(a: usize, b: usize, length: usize, c: usize, stride: usize): void {
  let s00 = i32x4.splat(0),
    s01 = s00,
    s10 = s00,
    s11 = s00;
  let s20 = s00,
    s21 = s00,
    s30 = s00,
    s31 = s00;
  for (const end = b + length; b < end; a += PAIR, b += PAIR) {
    const four = v128.load(a),
      b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let ai = v128.shuffle<i32>(four, four, 0, 0, 0, 0);
    s00 = i32x4.add(s00, i32x4.dot_i16x8_s(ai, b0));
    s01 = i32x4.add(s01, i32x4.dot_i16x8_s(ai, b1));
    ai = v128.shuffle<i32>(four, four, 1, 1, 1, 1);
    s10 = i32x4.add(s10, i32x4.dot_i16x8_s(ai, b0));
    s11 = i32x4.add(s11, i32x4.dot_i16x8_s(ai, b1));
    ai = v128.shuffle<i32>(four, four, 2, 2, 2, 2);
    s20 = i32x4.add(s20, i32x4.dot_i16x8_s(ai, b0));
    s21 = i32x4.add(s21, i32x4.dot_i16x8_s(ai, b1));
    ai = v128.shuffle<i32>(four, four, 3, 3, 3, 3);
    s30 = i32x4.add(s30, i32x4.dot_i16x8_s(ai, b0));
    s31 = i32x4.add(s31, i32x4.dot_i16x8_s(ai, b1));
  }
  addTo(c, s00, s01);
  addTo(c + stride, s10, s11);
  addTo(c + 2 * stride, s20, s21);
  addTo(c + 3 * stride, s30, s31);
}

function addTo(c: usize, low: v128, high: v128): void {
  v128.store(c, i32x4.add(v128.load(c), low));
  v128.store(c, i32x4.add(v128.load(c, 16), high), 16);
}

/** Adds `sign` times the products of `row`, int32 [n], with itself to `sums`, int32 packed upper [n]. */
export function addSquares(sums: usize, row: usize, n: i32, sign: i32): void {
  for (const end = row + 4 * <usize>n; row < end; row += 4) {
    const factor = sign * load<i32>(row),
      four = i32x4.splat(factor);
    let x = row;
    for (; x + 16 <= end; x += 16, sums += 16) {
      v128.store(sums, i32x4.add(v128.load(sums), i32x4.mul(four, v128.load(x))));
    }
    for (; x < end; x += 4, sums += 4) {
      store<i32>(sums, load<i32>(sums) + factor * load<i32>(x));
    }
  }
}

/**
 * Strips whose vectors are the columns of `x`, int8 [2 * pairs, stride]. May read up to seven bytes
 * past a row: vectors beyond the last column hold whatever follows, and their sums are not used.
 */
export function packColumns(x: usize, stride: usize, pairs: i32, strips: i32, out: usize): void {
  for (let s = 0; s < strips; s++) {
    let row = x + 8 * s;
    for (let p = 0; p < pairs; p++) {
      const even = v128.load8x8_s(row),
        odd = v128.load8x8_s(row + stride);
      v128.store(out, v128.shuffle<i16>(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(out, v128.shuffle<i16>(even, odd, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      row += 2 * stride;
      out += PAIR;
    }
  }
}

/** One strip whose vectors are the eight rows of `x`, int8 [8, terms]; `terms` a multiple of 8. */
export function packRows(x: usize, terms: usize, out: usize): void {
  for (const end = x + terms; x < end; x += 8, out += 4 * PAIR) {
    transpose(x, terms, out);
    transpose(x + 4 * terms, terms, out + 16);
  }
}

/** Eight terms of four rows: a 4 x 4 transpose of pairs. */
function transpose(x: usize, terms: usize, out: usize): void {
  const r0 = v128.load8x8_s(x),
    r1 = v128.load8x8_s(x + terms);
  const r2 = v128.load8x8_s(x + 2 * terms),
    r3 = v128.load8x8_s(x + 3 * terms);
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5),
    low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7),
    high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(out, v128.shuffle<i64>(low01, low23, 1, 3), 32);
  v128.store(out, v128.shuffle<i64>(high01, high23, 0, 2), 64);
  v128.store(out, v128.shuffle<i64>(high01, high23, 1, 3), 96);
}
