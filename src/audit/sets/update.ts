import { equalBytes } from '../bytes.js';
import { buildSorted, groupByPrefix } from './build.js';
import {
  compareKeys,
  corrupt,
  ENTRY_BYTES,
  joinRows,
  KEY_BYTES,
  rowsOf,
  sortRows,
} from './entries.js';
import { type HashPairs, hashPairs } from './hash-pairs.js';
import {
  decodePage,
  encodePage,
  fanBits,
  outgrows,
  type PageAddress,
  type PageChanges,
  type Pages,
  pageId,
  pagesFor,
  type SetState,
  topLevel,
} from './pages.js';
import { halveTimes, type Summary, summarise } from './summaries.js';
import { EMPTY } from './tree.js';

export type SetChanges = {
  /** Entries, 64 bytes each, flat, in any order. */
  readonly add: Uint8Array;
  /** Keys, 32 bytes each, flat, in any order. They go before `add` comes, so an entry can be replaced. */
  readonly remove: Uint8Array;
};

export type SetUpdate = {
  readonly state: SetState;
  readonly pages: PageChanges;
  /** The set has grown: no page of before is left but those in `pages`. */
  readonly rewritten: boolean;
};

export const EMPTY_SET: SetState = { depth: 0, count: 0, root: EMPTY };

const NONE = new Uint8Array(0);

/** The pages that `updateSet` reads; 'buckets': all of level 0, for the set will grow. Throws `set_corrupt`. */
export function pagesForUpdate(state: SetState, changes: SetChanges): PageAddress[] | 'buckets' {
  if (outgrows(state.depth, countAfter(state, changes))) return 'buckets';
  const keys = new Uint8Array(rowsOf(changes.add, ENTRY_BYTES) * KEY_BYTES);
  for (let at = 0; at < keys.length; at += KEY_BYTES) {
    keys.set(changes.add.subarray(2 * at, 2 * at + KEY_BYTES), at);
  }
  return pagesFor(state.depth, joinRows([keys, changes.remove]));
}

/**
 * The set after `changes`, from the pages that `pagesForUpdate` names. Costs O(log n) hashes an entry, and
 * O(n) once in a while when it grows. Throws `set_corrupt` when a key to remove is not there, one to add
 * is, or the pages do not belong together.
 */
export function updateSet(
  state: SetState,
  pages: Pages,
  changes: SetChanges,
  hash: HashPairs = hashPairs,
): SetUpdate {
  const add = sortRows(changes.add, ENTRY_BYTES);
  const remove = sortRows(changes.remove, KEY_BYTES);
  const count = countAfter(state, changes);
  if (outgrows(state.depth, count)) {
    const built = buildSorted(merge(allEntries(state, pages), remove, add), hash);
    return { ...built, rewritten: true };
  }
  if (add.length + remove.length === 0) return { state, pages: new Map(), rewritten: false };
  const written = new Map<number, Uint8Array | null>();
  let changed = updateBuckets(state, pages, remove, add, hash, written);
  for (let level = 1; level <= topLevel(state.depth); level++) {
    changed = updateLevel(state.depth, level, pages, changed, hash, written);
  }
  const root = changed.get(0)?.hash ?? EMPTY;
  if ((count === 0) !== equalBytes(root, EMPTY)) throw corrupt('a set was not counted right');
  return { state: { depth: state.depth, count, root }, pages: written, rewritten: false };
}

const countAfter = ({ count }: SetState, { add, remove }: SetChanges): number =>
  count + rowsOf(add, ENTRY_BYTES) - rowsOf(remove, KEY_BYTES);

function allEntries({ depth, count }: SetState, pages: Pages): Uint8Array {
  const buckets: Uint8Array[] = [];
  for (let i = 0; i < 2 ** depth; i++) buckets.push(pages.get(pageId(0, i)) ?? NONE);
  const entries = joinRows(buckets);
  if (entries.length === count * ENTRY_BYTES) return entries;
  throw corrupt(`a set of ${count} entries is kept in ${entries.length} bytes`);
}

/** What becomes of each child, by index, at one level. */
type Changed = ReadonlyMap<number, Summary>;

function updateBuckets(
  { depth, count }: SetState,
  pages: Pages,
  remove: Uint8Array,
  add: Uint8Array,
  hash: HashPairs,
  written: Map<number, Uint8Array | null>,
): Changed {
  const removed = new Map(groupByPrefix(remove, KEY_BYTES, depth));
  const added = new Map(groupByPrefix(add, ENTRY_BYTES, depth));
  const buckets = [...new Set([...removed.keys(), ...added.keys()])].sort((a, b) => a - b);
  const merged = buckets.map((bucket) => {
    const former = pages.get(pageId(0, bucket)) ?? NONE;
    if (rowsOf(former, ENTRY_BYTES) > count) throw corrupt('a set was not counted right');
    const entries = merge(former, removed.get(bucket) ?? NONE, added.get(bucket) ?? NONE);
    written.set(pageId(0, bucket), entries.length > 0 ? entries : null);
    return entries;
  });
  const summaries = summarise(joinRows(merged), depth, hash);
  return new Map(buckets.map((bucket) => [bucket, summaries.get(bucket) ?? null]));
}

function updateLevel(
  depth: number,
  level: number,
  pages: Pages,
  changed: Changed,
  hash: HashPairs,
  written: Map<number, Uint8Array | null>,
): Changed {
  const bits = fanBits(depth, level);
  const fan = 2 ** bits;
  const parents = new Map<number, Summary[]>();
  for (const [index, summary] of changed) {
    const parent = Math.floor(index / fan);
    let children = parents.get(parent);
    if (!children) {
      children = decodePage(pages.get(pageId(level, parent)), bits);
      parents.set(parent, children);
    }
    if (pages.has(pageId(level - 1, index)) !== (children[index % fan] !== null)) {
      throw corrupt(`page ${index} of level ${level - 1} is not what the page above it says`);
    }
    children[index % fan] = summary;
  }
  for (const [parent, children] of parents) {
    written.set(pageId(level, parent), encodePage(children));
  }
  const halved = halveTimes([...parents.values()].flat(), bits, hash);
  return new Map([...parents.keys()].map((parent, i) => [parent, halved[i] ?? null]));
}

/** `entries` without the keys of `remove` and with `add`; all in order of keys. */
function merge(entries: Uint8Array, remove: Uint8Array, add: Uint8Array): Uint8Array {
  const room = entries.length + add.length;
  const out = new Uint8Array(room);
  let length = 0;
  const put = (from: Uint8Array, at: number) => {
    out.set(from.subarray(at, at + ENTRY_BYTES), length);
    length += ENTRY_BYTES;
  };
  let gone = 0;
  let next = 0;
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    if (gone < remove.length && compareKeys(remove, gone, entries, at) === 0) {
      gone += KEY_BYTES;
      continue;
    }
    while (next < add.length && compareKeys(add, next, entries, at) < 0) {
      put(add, next);
      next += ENTRY_BYTES;
    }
    if (next < add.length && compareKeys(add, next, entries, at) === 0) {
      throw corrupt('an entry to add is in the set already');
    }
    put(entries, at);
  }
  if (gone < remove.length) throw corrupt('an entry to remove is not in the set');
  for (; next < add.length; next += ENTRY_BYTES) put(add, next);
  return length === room ? out : out.slice(0, length);
}
