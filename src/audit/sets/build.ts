import { ENTRY_BYTES, prefixOf, sortRows } from './entries.js';
import { type HashPairs, hashPairs } from './hash-pairs.js';
import {
  depthFor,
  encodePage,
  fanBits,
  type Pages,
  pageId,
  type SetState,
  topLevel,
} from './pages.js';
import { halveTimes, type Summary, summarise } from './summaries.js';
import { EMPTY } from './tree.js';

export type BuiltSet = { readonly state: SetState; readonly pages: Pages };

/** Entries hashed at a time: their hashes stay in the processor's cache. */
const CHUNK_BYTES = 4096 * ENTRY_BYTES;

/** A set from all its entries (64 bytes each, flat, in any order), with every page of it. Throws `set_corrupt`. */
export const buildSet = (entries: Uint8Array, hash: HashPairs = hashPairs): BuiltSet =>
  buildSorted(sortRows(entries, ENTRY_BYTES), hash);

/** The same from entries in order of their keys. The pages are views of them. */
export function buildSorted(sorted: Uint8Array, hash: HashPairs): BuiltSet {
  const count = sorted.length / ENTRY_BYTES;
  const depth = depthFor(count);
  const pages = new Map<number, Uint8Array>();
  let summaries: readonly Summary[] = summariseBuckets(sorted, depth, hash, pages);
  for (let level = 1; level <= topLevel(depth); level++) {
    const bits = fanBits(depth, level);
    const fan = 2 ** bits;
    for (let at = 0; at < summaries.length; at += fan) {
      const page = encodePage(summaries.slice(at, at + fan));
      if (page) pages.set(pageId(level, at / fan), page);
    }
    summaries = halveTimes(summaries, bits, hash);
  }
  return { state: { depth, count, root: summaries[0]?.hash ?? EMPTY }, pages };
}

function summariseBuckets(
  sorted: Uint8Array,
  depth: number,
  hash: HashPairs,
  pages: Map<number, Uint8Array>,
): Summary[] {
  const summaries = new Array<Summary>(2 ** depth).fill(null);
  const summariseChunk = (from: number, to: number) => {
    for (const [bucket, summary] of summarise(sorted.subarray(from, to), depth, hash)) {
      summaries[bucket] = summary;
    }
  };
  let chunk = 0;
  let end = 0;
  for (const [bucket, entries] of groupByPrefix(sorted, ENTRY_BYTES, depth)) {
    pages.set(pageId(0, bucket), entries);
    end += entries.length;
    if (end - chunk < CHUNK_BYTES) continue;
    summariseChunk(chunk, end);
    chunk = end;
  }
  summariseChunk(chunk, end);
  return summaries;
}

/** Rows in order of keys, cut where the first `depth` bits of the keys change. */
export function* groupByPrefix(
  rows: Uint8Array,
  size: number,
  depth: number,
): Generator<readonly [prefix: number, rows: Uint8Array]> {
  let from = 0;
  while (from < rows.length) {
    const prefix = prefixOf(rows, from, depth);
    let to = from + size;
    while (to < rows.length && prefixOf(rows, to, depth) === prefix) to += size;
    yield [prefix, rows.subarray(from, to)];
    from = to;
  }
}
