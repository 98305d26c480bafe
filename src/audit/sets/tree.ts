import { LegonetError } from '../../errors.js';
import { compareBytes, concat, equalBytes } from '../bytes.js';
import { HASH_BYTES, leafHash, nodeHash } from '../hash.js';
import type { SetProof } from './proof.js';

/*
 * A set of samples as a compact sparse Merkle tree (the shape of Jellyfish and of Celestia's smt): an
 * entry's key is its path, most significant bit first; a subtree with one entry is that entry's leaf, at
 * whatever depth, and one without any is 32 zero bytes. So the root is a function of the set. This file is
 * the definition, plain and slow; `build.ts` and `update.ts` must give the same.
 */

/** 32 bytes each. The key stands for a sample, the value says what is claimed of it. */
export type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

/** The empty subtree, and the empty set's root. */
export const EMPTY: Uint8Array = new Uint8Array(HASH_BYTES);

/** Bits of a key, and so the greatest depth of a leaf. */
export const KEY_BITS = 8 * HASH_BYTES;

export const bitOf = (key: Uint8Array, bit: number): number =>
  ((key[bit >> 3] as number) >> (7 - (bit & 7))) & 1;

export const setLeafHash = ({ key, value }: Entry): Uint8Array => leafHash(concat(key, value));

/** The set's root, 32 bytes, by the definition. Throws `set_corrupt` if two entries have one key. */
export const setRoot = (entries: readonly Entry[]): Uint8Array => subtreeRoot(entries, 0);

/** That `key` is in the set, or that it is not: the set's one proof of it. */
export const proveSet = (entries: readonly Entry[], key: Uint8Array): SetProof =>
  proveInSubtree(entries, key, 0);

function subtreeRoot(entries: readonly Entry[], depth: number): Uint8Array {
  const [first] = entries;
  if (!first) return EMPTY;
  if (entries.length === 1) return setLeafHash(first);
  const [left, right] = split(entries, depth);
  return nodeHash(subtreeRoot(left, depth + 1), subtreeRoot(right, depth + 1));
}

/** The part of a proof below `depth`; all entries and `key` begin with the same so many bits. */
export function proveInSubtree(
  entries: readonly Entry[],
  key: Uint8Array,
  depth: number,
): SetProof {
  const [first] = entries;
  if (!first) return { siblings: [], present: false, other: null };
  if (entries.length === 1) {
    if (equalBytes(first.key, key)) return { siblings: [], present: true };
    return { siblings: [], present: false, other: first };
  }
  const halves = split(entries, depth);
  const side = bitOf(key, depth);
  const sibling = subtreeRoot(halves[1 - side] as readonly Entry[], depth + 1);
  const below = proveInSubtree(halves[side] as readonly Entry[], key, depth + 1);
  return { ...below, siblings: [sibling, ...below.siblings] };
}

function split(entries: readonly Entry[], depth: number): readonly [Entry[], Entry[]] {
  if (depth === KEY_BITS) throw new LegonetError('set_corrupt', 'two entries have one key', 'stop');
  return [
    entries.filter(({ key }) => bitOf(key, depth) === 0),
    entries.filter(({ key }) => bitOf(key, depth) === 1),
  ];
}

/** Whether two keys begin with the same `bits` bits. */
export function sharePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  if (compareBytes(a.subarray(0, whole), b.subarray(0, whole)) !== 0) return false;
  for (let bit = 8 * whole; bit < bits; bit++) {
    if (bitOf(a, bit) !== bitOf(b, bit)) return false;
  }
  return true;
}
