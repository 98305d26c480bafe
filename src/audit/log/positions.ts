import { LegonetError } from '../../errors.js';
import { nodeHash } from '../hash.js';

/*
 * Where things are in a Merkle tree of RFC 6962, and which of its hashes a proof consists of. Sizes and
 * indexes are safe integers (below 2^53), so nothing here may use the operators that cut numbers to 32 bits.
 */

/** The leaves `from`, …, `from + size - 1`, which are all those below one node of the tree. */
export type Range = { readonly from: number; readonly size: number };

/** The node over the leaves index · 2^level, …, (index + 1) · 2^level - 1, all of which are there. */
export type Node = { readonly level: number; readonly index: number };

/** Hash of a node that has all its leaves. */
export type HashOf = (level: number, index: number) => Uint8Array;

export const invalidProof = (reason: string): LegonetError =>
  new LegonetError('invalid_proof', reason);

/** Throws `invalid_proof`. */
export function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw invalidProof('a tree has a whole number of leaves, below 2^53');
  }
}

/** Throws `invalid_proof` unless there is a leaf `index` in a tree of `size`. */
export function checkIndex(index: number, size: number): void {
  checkSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw invalidProof(`a tree of ${size} leaves has no leaf ${index}`);
  }
}

/** floor(log2(n)), exactly, of a safe integer n > 0. */
export function floorLog2(n: number): number {
  const high = Math.floor(n / 2 ** 32);
  return high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(n);
}

/** How many of `size` > 1 leaves are left of the root: the largest power of two below it. */
export const leftSize = (size: number): number => 2 ** floorLog2(size - 1);

/** The two halves of a range of more than one leaf. */
export function halves({ from, size }: Range): readonly [Range, Range] {
  const left = leftSize(size);
  return [
    { from, size: left },
    { from: from + left, size: size - left },
  ];
}

/** The siblings on the way from a leaf up to the root (RFC 6962, section 2.1.1). Throws `invalid_proof`. */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  checkIndex(index, size);
  const siblings: Range[] = [];
  let range: Range = { from: 0, size };
  while (range.size > 1) {
    const [left, right] = halves(range);
    const goesLeft = index < right.from;
    siblings.push(goesLeft ? right : left);
    range = goesLeft ? left : right;
  }
  return siblings.reverse();
}

/**
 * What proves that the first `size1` of `size2` leaves are those of the smaller tree (RFC 6962, section
 * 2.1.2), for 0 < size1 ≤ size2. Throws `invalid_proof`: an empty tree is the beginning of any.
 */
export function consistencyRanges(size1: number, size2: number): readonly Range[] {
  checkSize(size2);
  checkIndex(size1 - 1, size2);
  const nodes: Range[] = [];
  let range: Range = { from: 0, size: size2 };
  while (size1 < range.from + range.size) {
    const [left, right] = halves(range);
    const goesLeft = size1 <= right.from;
    nodes.push(goesLeft ? right : left);
    range = goesLeft ? left : right;
  }
  // The verifier knows the whole smaller tree's root; of a part of it only if it is told.
  if (range.from > 0) nodes.push(range);
  return nodes.reverse();
}

/** The largest complete subtrees that a range is made of, left to right: one for each bit of its size. */
export function completeNodes({ from, size }: Range): readonly Node[] {
  const nodes: Node[] = [];
  let at = from;
  for (let rest = size; rest > 0; ) {
    const level = floorLog2(rest);
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
    rest -= 2 ** level;
  }
  return nodes;
}

/** Hash of the node over a range of one leaf or more. */
export function rangeHash(range: Range, hashOf: HashOf): Uint8Array {
  return completeNodes(range)
    .map(({ level, index }) => hashOf(level, index))
    .reduceRight((right, left) => nodeHash(left, right));
}
