// SHA-256 (FIPS 180-4) of four messages at a time, each in one lane of every vector: of 64 bytes after a
// prefix of one, as the nodes of a Merkle tree are hashed. All work in memory of the caller's.

/**
 * Hashes `groups` times four messages: `prefix`, and 64 bytes from `pairs` on. Their digests, 32 bytes each,
 * go to `out`. `constants`: the 64 of FIPS 180-4, section 4.2.2, and then the eight of 5.3.3, int32 each.
 * `work` has 1,152 bytes to spare. The byte before `pairs` is read and means nothing.
 */
export function hashPairs(
  pairs: usize,
  groups: i32,
  prefix: i32,
  out: usize,
  constants: usize,
  work: usize,
): void {
  const state = work + 1024;
  for (; groups > 0; groups--, pairs += 256, out += 128) {
    for (let i: usize = 0; i < 8; i++) {
      v128.store(state + 16 * i, v128.load32_splat(constants + 256 + 4 * i));
    }
    // A word begins a byte before where it would without the prefix.
    for (let i: usize = 0; i < 64; i += 16) spread(pairs + i - 1, work + 4 * i);
    const first = v128.and(v128.load(work), i32x4.splat(0x00ffffff));
    v128.store(work, v128.or(first, i32x4.splat(prefix << 24)));
    compress(work, state, constants);
    // The last byte, the bit after it, zeros, and the length in bits.
    v128.store(
      work,
      i32x4(
        ((<i32>load<u8>(pairs, 63)) << 24) | 0x800000,
        ((<i32>load<u8>(pairs, 127)) << 24) | 0x800000,
        ((<i32>load<u8>(pairs, 191)) << 24) | 0x800000,
        ((<i32>load<u8>(pairs, 255)) << 24) | 0x800000,
      ),
    );
    for (let i: usize = 1; i < 15; i++) v128.store(work + 16 * i, i32x4.splat(0));
    v128.store(work + 240, i32x4.splat(520));
    compress(work, state, constants);
    gather(state, out);
    gather(state + 64, out + 16);
  }
}

/** Four words of each of four messages, 64 bytes apart, to four vectors: one word of all in each. */
function spread(from: usize, to: usize): void {
  const a = swap(v128.load(from)),
    b = swap(v128.load(from, 64)),
    c = swap(v128.load(from, 128)),
    d = swap(v128.load(from, 192));
  transpose(a, b, c, d, to, 16);
}

/** Four vectors of words back to four digests, 32 bytes apart. */
function gather(from: usize, to: usize): void {
  const a = swap(v128.load(from)),
    b = swap(v128.load(from, 16)),
    c = swap(v128.load(from, 32)),
    d = swap(v128.load(from, 48));
  transpose(a, b, c, d, to, 32);
}

function transpose(a: v128, b: v128, c: v128, d: v128, to: usize, stride: usize): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5),
    ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7),
    cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5),
    cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(to + stride, v128.shuffle<i32>(ab0, cd0, 2, 3, 6, 7));
  v128.store(to + 2 * stride, v128.shuffle<i32>(ab1, cd1, 0, 1, 4, 5));
  v128.store(to + 3 * stride, v128.shuffle<i32>(ab1, cd1, 2, 3, 6, 7));
}

/** Big-endian words. */
function swap(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

function rotate(x: v128, bits: i32): v128 {
  return v128.or(i32x4.shr_u(x, bits), i32x4.shl(x, 32 - bits));
}

/** One block of each message into its state; its words are the first 16 of `w`, which has room for 64. */
function compress(w: usize, state: usize, k: usize): void {
  for (let at = w + 256, end = w + 1024; at < end; at += 16) {
    const w15 = v128.load(at - 240),
      w2 = v128.load(at - 32);
    const s0 = v128.xor(v128.xor(rotate(w15, 7), rotate(w15, 18)), i32x4.shr_u(w15, 3)),
      s1 = v128.xor(v128.xor(rotate(w2, 17), rotate(w2, 19)), i32x4.shr_u(w2, 10));
    const rest = i32x4.add(v128.load(at - 256), v128.load(at - 112));
    v128.store(at, i32x4.add(i32x4.add(s0, s1), rest));
  }
  let a = v128.load(state),
    b = v128.load(state, 16),
    c = v128.load(state, 32),
    d = v128.load(state, 48);
  let e = v128.load(state, 64),
    f = v128.load(state, 80),
    g = v128.load(state, 96),
    h = v128.load(state, 112);
  for (const end = k + 256; k < end; k += 4, w += 16) {
    const s1 = v128.xor(v128.xor(rotate(e, 6), rotate(e, 11)), rotate(e, 25));
    const wk = i32x4.add(v128.load(w), v128.load32_splat(k));
    const t1 = i32x4.add(i32x4.add(h, s1), i32x4.add(v128.bitselect(f, g, e), wk));
    const s0 = v128.xor(v128.xor(rotate(a, 2), rotate(a, 13)), rotate(a, 22));
    // The majority of a, b, c: c where a and b differ.
    const t2 = i32x4.add(s0, v128.bitselect(c, b, v128.xor(a, b)));
    h = g;
    g = f;
    f = e;
    e = i32x4.add(d, t1);
    d = c;
    c = b;
    b = a;
    a = i32x4.add(t1, t2);
  }
  add(state, a, b, c, d);
  add(state + 64, e, f, g, h);
}

function add(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, i32x4.add(v128.load(to), a));
  v128.store(to, i32x4.add(v128.load(to, 16), b), 16);
  v128.store(to, i32x4.add(v128.load(to, 32), c), 32);
  v128.store(to, i32x4.add(v128.load(to, 48), d), 48);
}
