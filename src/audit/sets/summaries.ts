import { HASH_BYTES } from '../hash.js';
import { commonBits, ENTRY_BYTES, prefixOf, rowsOf } from './entries.js';
import { type HashPairs, LEAF_PREFIX, NODE_PREFIX, PAIR_BYTES } from './hash-pairs.js';
import { bitOf } from './tree.js';

/** A subtree: null is the empty one; with an entry (64 bytes) it is that entry's leaf alone. */
export type Summary = { readonly hash: Uint8Array; readonly entry: Uint8Array | null } | null;

/** The subtrees at half as many places, one bit up: 2i and 2i + 1 become i. */
export function halve(summaries: readonly Summary[], hash: HashPairs): Summary[] {
  const joined: (readonly [at: number, left: Summary, right: Summary])[] = [];
  const halved = Array.from({ length: summaries.length / 2 }, (_, i): Summary => {
    const left = summaries[2 * i] ?? null;
    const right = summaries[2 * i + 1] ?? null;
    if (!left && (!right || right.entry)) return right;
    if (!right && left?.entry) return left;
    joined.push([i, left, right]);
    return null;
  });
  const pairs = new Uint8Array(joined.length * PAIR_BYTES);
  joined.forEach(([, left, right], i) => {
    if (left) pairs.set(left.hash, i * PAIR_BYTES);
    if (right) pairs.set(right.hash, i * PAIR_BYTES + HASH_BYTES);
  });
  const hashes = hash(NODE_PREFIX, pairs);
  joined.forEach(([at], i) => {
    halved[at] = { hash: hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), entry: null };
  });
  return halved;
}

/** The subtrees `bits` bits up. */
export function halveTimes(
  summaries: readonly Summary[],
  bits: number,
  hash: HashPairs,
): readonly Summary[] {
  let halved = summaries;
  for (let bit = 0; bit < bits; bit++) halved = halve(halved, hash);
  return halved;
}

/**
 * The subtrees at `depth` that hold the entries (flat, in order of keys), by the first `depth` bits of
 * their keys. One level of all of them at a time, from the deepest node up.
 */
export function summarise(
  entries: Uint8Array,
  depth: number,
  hash: HashPairs,
): Map<number, NonNullable<Summary>> {
  const count = rowsOf(entries, ENTRY_BYTES);
  // A node is known by its first entry; its hash lies there.
  const nodes: Nodes = {
    entries,
    first: Int32Array.from({ length: count }, (_, i) => i),
    count,
    inner: new Uint8Array(count),
    hashes: hash(LEAF_PREFIX, entries),
    pairs: new Uint8Array(0),
  };
  // How far an entry's path is the one of the entry before it.
  const common = new Int16Array(count).fill(-1);
  let deepest = -1;
  for (let i = 1; i < count; i++) {
    const bits = commonBits(entries, (i - 1) * ENTRY_BYTES, i * ENTRY_BYTES);
    common[i] = bits;
    if (bits > deepest) deepest = bits;
  }
  for (let at = deepest; at >= depth; at--) join(nodes, common, at, hash);
  const found = new Map<number, NonNullable<Summary>>();
  for (let i = 0; i < nodes.count; i++) {
    const first = nodes.first[i] as number;
    found.set(prefixOf(entries, first * ENTRY_BYTES, depth), {
      hash: nodes.hashes.slice(first * HASH_BYTES, (first + 1) * HASH_BYTES),
      entry: nodes.inner[first]
        ? null
        : entries.subarray(first * ENTRY_BYTES, (first + 1) * ENTRY_BYTES),
    });
  }
  return found;
}

type Nodes = {
  readonly entries: Uint8Array;
  readonly first: Int32Array;
  count: number;
  readonly inner: Uint8Array;
  readonly hashes: Uint8Array;
  pairs: Uint8Array;
};

/** Brings all nodes up to depth `at`: two that part there become one, and an inner one alone moves up. */
function join(nodes: Nodes, common: Int16Array, at: number, hash: HashPairs): void {
  const { entries, first, inner, hashes } = nodes;
  const joined: number[] = [];
  if (nodes.pairs.length < nodes.count * PAIR_BYTES) {
    nodes.pairs = new Uint8Array(nodes.count * PAIR_BYTES);
  }
  const put = (node: number, side: number, row: number) =>
    nodes.pairs.set(
      hashes.subarray(node * HASH_BYTES, (node + 1) * HASH_BYTES),
      row * PAIR_BYTES + side * HASH_BYTES,
    );
  let kept = 0;
  for (let i = 0; i < nodes.count; i++) {
    const node = first[i] as number;
    const next = i + 1 < nodes.count ? (first[i + 1] as number) : -1;
    first[kept++] = node;
    if (next >= 0 && common[next] === at) {
      put(node, 0, joined.length);
      put(next, 1, joined.length);
      joined.push(node);
      i++;
    } else if (inner[node]) {
      const side = bitOf(entries.subarray(node * ENTRY_BYTES), at);
      put(node, side, joined.length);
      nodes.pairs.fill(
        0,
        joined.length * PAIR_BYTES + (1 - side) * HASH_BYTES,
        joined.length * PAIR_BYTES + (2 - side) * HASH_BYTES,
      );
      joined.push(node);
    }
  }
  nodes.count = kept;
  const results = hash(NODE_PREFIX, nodes.pairs.subarray(0, joined.length * PAIR_BYTES));
  joined.forEach((node, i) => {
    hashes.set(results.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), node * HASH_BYTES);
    inner[node] = 1;
  });
}
