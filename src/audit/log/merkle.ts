import { equalBytes } from '../bytes.js';
import { HASH_BYTES, nodeHash, sha256 } from '../hash.js';
import {
  checkIndex,
  checkSize,
  consistencyRanges,
  type HashOf,
  halves,
  inclusionRanges,
  invalidProof,
  type Range,
  rangeHash,
} from './positions.js';

/*
 * Merkle trees of RFC 6962 and their proofs. Leaves are given as leaf hashes. Whatever is not a proof throws
 * `invalid_proof`, with the reason.
 */

type Hashes = readonly Uint8Array[];

function checkHashes(hashes: Hashes): void {
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw invalidProof(`a hash has ${HASH_BYTES} bytes`);
  }
}

/** The nodes over each two of a level's; an odd last one goes up as it is. */
function levelAbove(hashes: Hashes, node: typeof nodeHash): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < hashes.length; i += 2) {
    const left = hashes[i] as Uint8Array;
    const right = hashes[i + 1];
    above.push(right === undefined ? left : node(left, right));
  }
  return above;
}

/** Root over leaf hashes; that of no leaves is the hash of nothing. `node` may be a faster `nodeHash`. */
export function rootOf(hashes: Hashes, node: typeof nodeHash = nodeHash): Uint8Array {
  if (hashes.length === 0) return sha256(new Uint8Array());
  let level = hashes;
  while (level.length > 1) level = levelAbove(level, node);
  return level[0] as Uint8Array;
}

/** All nodes over leaf hashes, kept in memory: for proofs of trees that are small. */
export function nodesOver(leaves: Hashes): HashOf {
  const levels = [leaves];
  for (let level = leaves; level.length > 1; levels.push(level)) {
    level = levelAbove(level, nodeHash);
  }
  return (level, index) => {
    const hash = levels[level]?.[index];
    if (hash === undefined) throw invalidProof(`no node ${index} at level ${level}`);
    return hash;
  };
}

/** From the leaf's sibling to the root's child. */
export const inclusionProofOf = (index: number, size: number, hashOf: HashOf): Uint8Array[] =>
  inclusionRanges(index, size).map((range) => rangeHash(range, hashOf));

/** For 0 < size1 ≤ size2. */
export const consistencyProofOf = (size1: number, size2: number, hashOf: HashOf): Uint8Array[] =>
  consistencyRanges(size1, size2).map((range) => rangeHash(range, hashOf));

export type Inclusion = {
  readonly index: number;
  readonly size: number;
  /** Leaf hash. */
  readonly leaf: Uint8Array;
  readonly proof: Hashes;
  readonly root: Uint8Array;
};

const half = (n: number): number => Math.floor(n / 2);
const isOdd = (n: number): boolean => n % 2 === 1;

/** That leaf `index` of the tree with this root is `leaf` (RFC 9162, section 2.1.3.2). */
export function verifyInclusion({ index, size, leaf, proof, root }: Inclusion): void {
  checkIndex(index, size);
  checkHashes([leaf, root, ...proof]);
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) throw invalidProof('the proof has more hashes than there are levels');
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      // Levels at which the last node has no sibling, and goes up as it is.
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  if (last !== 0) throw invalidProof('the proof has fewer hashes than there are levels');
  if (!equalBytes(hash, root)) throw invalidProof('the proof leads to another root');
}

export type Consistency = {
  readonly size1: number;
  readonly root1: Uint8Array;
  readonly size2: number;
  readonly root2: Uint8Array;
  readonly proof: Hashes;
};

/**
 * That the tree with root 2 begins with the leaves of the tree with root 1 (RFC 9162, section 2.1.4.2). An empty
 * first tree is refused: nothing follows from it.
 */
export function verifyConsistency({ size1, root1, size2, root2, proof }: Consistency): void {
  checkSize(size2);
  checkIndex(size1 - 1, size2);
  if (size1 === size2) {
    if (proof.length > 0) throw invalidProof('trees of one size need no proof');
    if (!equalBytes(root1, root2)) throw invalidProof('trees of one size have different roots');
    return;
  }
  checkHashes([root1, root2, ...proof]);
  let [at, last] = [size1 - 1, size2 - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  // A smaller tree that is complete is itself the node to begin with.
  const [start, ...path] = at === 0 ? [root1, ...proof] : proof;
  if (start === undefined) throw invalidProof('the proof is empty');
  let [old, now] = [start, start];
  for (const sibling of path) {
    if (last === 0) throw invalidProof('the proof has more hashes than there are levels');
    if (isOdd(at) || at === last) {
      old = nodeHash(sibling, old);
      now = nodeHash(sibling, now);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      now = nodeHash(now, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  if (last !== 0) throw invalidProof('the proof has fewer hashes than there are levels');
  if (!equalBytes(old, root1)) throw invalidProof('the proof leads to another first root');
  if (!equalBytes(now, root2)) throw invalidProof('the proof leads to another second root');
}

function checkIndexes(indexes: readonly number[], size: number): void {
  if (indexes.length === 0) throw invalidProof('no leaf to prove');
  for (const [i, index] of indexes.entries()) {
    checkIndex(index, size);
    if (i > 0 && index <= (indexes[i - 1] as number)) {
      throw invalidProof('leaves must be in order, each once');
    }
  }
}

/**
 * Calls `leaf` for each of the leaves and `other` for each of the largest subtrees without one of them, left to
 * right, and gives what they come to.
 */
function walk<T>(
  indexes: readonly number[],
  size: number,
  visit: {
    readonly leaf: (which: number) => T;
    readonly other: (range: Range) => T;
    readonly node: (left: T, right: T) => T;
  },
): T {
  checkIndexes(indexes, size);
  let next = 0;
  const below = (range: Range): T => {
    const index = indexes[next];
    if (index === undefined || index >= range.from + range.size) return visit.other(range);
    if (range.size === 1) return visit.leaf(next++);
    const [left, right] = halves(range);
    const first = below(left);
    return visit.node(first, below(right));
  };
  return below({ from: 0, size });
}

/** The largest subtrees without one of the leaves, left to right. Indexes increase strictly. */
export function multiproofRanges(indexes: readonly number[], size: number): readonly Range[] {
  const others: Range[] = [];
  walk<void>(indexes, size, {
    leaf: () => undefined,
    other: (range) => void others.push(range),
    node: () => undefined,
  });
  return others;
}

/** One proof for several leaves: hashes of the largest subtrees without one of them, left to right. */
export const multiproof = (
  indexes: readonly number[],
  size: number,
  hashOf: HashOf,
): Uint8Array[] => multiproofRanges(indexes, size).map((range) => rangeHash(range, hashOf));

export type Multiproof = {
  readonly size: number;
  /** Leaf hashes, in order of index. */
  readonly leaves: readonly { readonly index: number; readonly hash: Uint8Array }[];
  readonly proof: Hashes;
};

/** The root to which leaves and proof lead. */
export function multiproofRoot({ size, leaves, proof }: Multiproof): Uint8Array {
  checkHashes([...leaves.map(({ hash }) => hash), ...proof]);
  let used = 0;
  const root = walk<Uint8Array>(
    leaves.map(({ index }) => index),
    size,
    {
      leaf: (which) => (leaves[which] as { hash: Uint8Array }).hash,
      other: () => {
        const hash = proof[used++];
        if (hash === undefined) throw invalidProof('the proof has too few hashes');
        return hash;
      },
      node: nodeHash,
    },
  );
  if (used !== proof.length) throw invalidProof('the proof has too many hashes');
  return root;
}
