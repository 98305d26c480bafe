import { HASH_BYTES, leafHash } from '../hash.js';
import { corrupt, ENTRY_BYTES, KEY_BYTES, MAX_DEPTH, prefixOf, rowsOf } from './entries.js';
import type { Summary } from './summaries.js';

/*
 * A set as it is kept. Of depth D it has 2^D buckets, by the first D bits of the keys: page (0, i) is the
 * entries of bucket i in order. Page (1, i) sums up buckets 32i to 32i + 31, page (2, i) pages 32i to
 * 32i + 31 of level 1, and so on; the one page of the top level may have fewer children. A page without
 * entries below it is not kept. So a change of one entry reads and writes one page of each level.
 *
 * A page above the buckets: one byte for each child (0 nothing, 1 a lone leaf, 2 an inner node), and then
 * for each in turn nothing, the leaf's entry (64 bytes), or the node's hash (32).
 */

export type SetState = {
  /** Bits: 2^depth buckets. The root does not depend on it. */
  readonly depth: number;
  readonly count: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
};

export type PageAddress = { readonly level: number; readonly index: number };

/** By `pageId`. What is not there is empty. */
export type Pages = ReadonlyMap<number, Uint8Array>;

/** New pages by `pageId`; null: the page is to go. */
export type PageChanges = ReadonlyMap<number, Uint8Array | null>;

const FAN_BITS = 5;

/** A set grows when its buckets hold more than this on average, until they hold at most half of it. */
const MAX_AVERAGE = 32;

export const pageId = (level: number, index: number): number => level * 2 ** MAX_DEPTH + index;

export const pageAddress = (id: number): PageAddress => ({
  level: Math.floor(id / 2 ** MAX_DEPTH),
  index: id % 2 ** MAX_DEPTH,
});

/** Level of the page at the top; 0: there is a single bucket. */
export const topLevel = (depth: number): number => Math.ceil(depth / FAN_BITS);

/** Bits of the path to a page of `level`. */
export const depthOfLevel = (depth: number, level: number): number =>
  Math.max(0, depth - FAN_BITS * level);

/** How many bits tell the children of a page of `level` apart. */
export const fanBits = (depth: number, level: number): number =>
  depthOfLevel(depth, level - 1) - depthOfLevel(depth, level);

/** The depth of a new set. Throws `set_corrupt` beyond 16 billion entries. */
export function depthFor(count: number): number {
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    if (count <= (MAX_AVERAGE / 2) * 2 ** depth) return depth;
  }
  throw corrupt(`a set of ${count} entries is more than can be kept`);
}

export const outgrows = (depth: number, count: number): boolean => count > MAX_AVERAGE * 2 ** depth;

/** The pages that say where `keys` (32 bytes each, flat) are and what is beside their paths. */
export function pagesFor(depth: number, keys: Uint8Array): PageAddress[] {
  const ids = new Set<number>();
  for (let i = 0; i < rowsOf(keys, KEY_BYTES); i++) {
    const bucket = prefixOf(keys, i * KEY_BYTES, depth);
    for (let level = 0; level <= topLevel(depth); level++) {
      ids.add(pageId(level, Math.floor(bucket / 2 ** (FAN_BITS * level))));
    }
  }
  return [...ids].map(pageAddress);
}

const NOTHING = 0;
const LEAF = 1;
const NODE = 2;

/** Null if all children are empty. */
export function encodePage(children: readonly Summary[]): Uint8Array | null {
  let length = children.length;
  for (const child of children) {
    if (child) length += child.entry ? ENTRY_BYTES : HASH_BYTES;
  }
  if (length === children.length) return null;
  const bytes = new Uint8Array(length);
  let at = children.length;
  children.forEach((child, i) => {
    if (!child) return;
    const content = child.entry ?? child.hash;
    bytes[i] = child.entry ? LEAF : NODE;
    bytes.set(content, at);
    at += content.length;
  });
  return bytes;
}

/** The page's 2^bits children. Throws `set_corrupt`. */
export function decodePage(bytes: Uint8Array | undefined, bits: number): Summary[] {
  const fan = 2 ** bits;
  if (!bytes) return new Array<Summary>(fan).fill(null);
  let at = fan;
  const take = (length: number): Uint8Array => {
    at += length;
    if (at > bytes.length) throw corrupt('a page ends early');
    return bytes.subarray(at - length, at);
  };
  const children = Array.from({ length: fan }, (_, i): Summary => {
    const kind = bytes[i];
    if (kind === NOTHING) return null;
    if (kind === NODE) return { hash: take(HASH_BYTES), entry: null };
    if (kind !== LEAF) throw corrupt(`a page holds a child of kind ${kind}`);
    const entry = take(ENTRY_BYTES);
    return { hash: leafHash(entry), entry };
  });
  if (at !== bytes.length) throw corrupt('a page goes on after its end');
  return children;
}
