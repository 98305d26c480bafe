/**
 * MurmurHash3 (x86, 32 bits, seed 0) of bytes [from, to), as a signed number: Austin Appleby's
 * MurmurHash3.cpp, public domain. The packages there are take each token as a text of its own, and none is kept up.
 */
export function murmurHash3(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  const tail = from + (length & ~3);
  let hash = 0;
  for (let i = from; i < tail; i += 4) {
    const block = byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16);
    hash ^= scramble(block | (byteAt(bytes, i + 3) << 24));
    hash = (Math.imul(rotate(hash, 13), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = to - 1; i >= tail; i--) rest = (rest << 8) | byteAt(bytes, i);
  hash ^= scramble(rest) ^ length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const byteAt = (bytes: Uint8Array, i: number): number => bytes[i] ?? 0;
const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
const scramble = (block: number): number =>
  Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
