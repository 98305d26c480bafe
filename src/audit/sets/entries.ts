import { LegonetError } from '../../errors.js';
import { HASH_BYTES } from '../hash.js';
import { PAIR_BYTES } from './hash-pairs.js';
import type { Entry } from './tree.js';

/*
 * Entries in one piece, 64 bytes each (key, value): no object for each of millions.
 */

export const ENTRY_BYTES = PAIR_BYTES;
export const KEY_BYTES = HASH_BYTES;

/** Deepest level of buckets: their numbers must fit Postgres's int. */
export const MAX_DEPTH = 30;

export const corrupt = (message: string): LegonetError =>
  new LegonetError('set_corrupt', message, 'stop');

/** How many whole rows of `size` bytes there are. Throws `set_corrupt` if one is cut off. */
export function rowsOf(bytes: Uint8Array, size: number): number {
  if (bytes.length % size === 0) return bytes.length / size;
  throw corrupt(`${bytes.length} bytes are not a whole number of rows of ${size}`);
}

/** One after the other: as `concat`, but of any number of parts. */
export function joinRows(parts: readonly Uint8Array[]): Uint8Array {
  const rows = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    rows.set(part, at);
    at += part.length;
  }
  return rows;
}

/** Order of the keys that begin at `i` of `a` and at `j` of `b`. */
export function compareKeys(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  for (let at = 0; at < KEY_BYTES; at++) {
    const order = (a[i + at] as number) - (b[j + at] as number);
    if (order !== 0) return order;
  }
  return 0;
}

/** The first `depth` bits of the key at `at` as a number; at most MAX_DEPTH. */
export function prefixOf(bytes: Uint8Array, at: number, depth: number): number {
  const word =
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number);
  return depth === 0 ? 0 : word >>> (32 - depth);
}

/** How many bits the keys at `i` and `j` have in common from the first. */
export function commonBits(bytes: Uint8Array, i: number, j: number): number {
  for (let at = 0; at < KEY_BYTES; at++) {
    const difference = (bytes[i + at] as number) ^ (bytes[j + at] as number);
    if (difference !== 0) return 8 * at + Math.clz32(difference) - 24;
  }
  return 8 * KEY_BYTES;
}

/** The same as objects. */
export function unpackEntries(bytes: Uint8Array): Entry[] {
  return Array.from({ length: rowsOf(bytes, ENTRY_BYTES) }, (_, i) => unpackEntry(bytes, i));
}

export function unpackEntry(bytes: Uint8Array, i: number): Entry {
  const at = i * ENTRY_BYTES;
  return {
    key: bytes.subarray(at, at + KEY_BYTES),
    value: bytes.subarray(at + KEY_BYTES, at + ENTRY_BYTES),
  };
}

/** Rows of `size` bytes, each beginning with its key, in order of keys. Throws `set_corrupt` if two are one. */
export function sortRows(rows: Uint8Array, size: number): Uint8Array {
  const count = rowsOf(rows, size);
  const bits = Math.min(MAX_DEPTH, Math.max(0, Math.ceil(Math.log2(Math.max(1, count / 8)))));
  const { starts, scattered } = scatter(rows, size, bits);
  const sorted = new Uint8Array(rows.length);
  for (let bucket = 0; bucket < 1 << bits; bucket++) {
    const from = starts[bucket] as number;
    const length = (starts[bucket + 1] as number) - from;
    const order = Array.from({ length }, (_, i) => (from + i) * size);
    order.sort((a, b) => compareKeys(scattered, a, scattered, b));
    order.forEach((source, i) => {
      if (i > 0 && compareKeys(scattered, order[i - 1] as number, scattered, source) === 0) {
        throw corrupt('one key comes twice');
      }
      sorted.set(scattered.subarray(source, source + size), (from + i) * size);
    });
  }
  return sorted;
}

/** By the keys' first `bits` bits, one after the other; bucket i begins at row `starts[i]`. */
function scatter(rows: Uint8Array, size: number, bits: number) {
  const starts = new Int32Array((1 << bits) + 1);
  for (let at = 0; at < rows.length; at += size) {
    (starts[prefixOf(rows, at, bits) + 1] as number) += 1;
  }
  for (let i = 1; i < starts.length; i++) (starts[i] as number) += starts[i - 1] as number;
  const next = starts.slice();
  const scattered = new Uint8Array(rows.length);
  for (let at = 0; at < rows.length; at += size) {
    const bucket = prefixOf(rows, at, bits);
    scattered.set(rows.subarray(at, at + size), (next[bucket] as number) * size);
    (next[bucket] as number) += 1;
  }
  return { starts, scattered };
}
