import { LegonetError } from '../../errors.js';
import { equalBytes } from '../bytes.js';
import { HASH_BYTES, nodeHash } from '../hash.js';
import { bitOf, EMPTY, type Entry, KEY_BITS, setLeafHash, sharePrefix } from './tree.js';

/*
 * Why a server cannot lie: where a key is looked for is decided by its bits alone, and each hash on the way
 * has one preimage that anyone can find (0x00 begins a leaf, 0x01 an inner node, and none is known of
 * 32 zero bytes). So under one root, whoever made it, the way of a key ends in one place: at its own leaf,
 * or at another's, or at nothing. No root has both a proof of presence and one of absence for one key.
 */

/**
 * What is beside the key's path, from the root down, and what the path ends at: the key's own leaf, or
 * (the key is not in the set) another's leaf, or nothing. 32 bytes to a sibling, zeros for an empty one.
 */
export type SetProof =
  | { readonly siblings: readonly Uint8Array[]; readonly present: true }
  | {
      readonly siblings: readonly Uint8Array[];
      readonly present: false;
      readonly other: Entry | null;
    };

export type PresenceClaim = Entry & {
  readonly siblings: readonly Uint8Array[];
  /** What the root must be. */
  readonly root?: Uint8Array;
};

export type AbsenceClaim = {
  readonly key: Uint8Array;
  readonly siblings: readonly Uint8Array[];
  /** The leaf where the key's would be; null: there is none. */
  readonly other: Entry | null;
  /** What the root must be. */
  readonly root?: Uint8Array;
};

/**
 * The root, 32 bytes, of every set that this proves to hold (key, value). Compare it with one that you
 * trust, or give that as `root`. Throws `set_proof_invalid`.
 */
export function verifyPresence({ key, value, siblings, root }: PresenceClaim): Uint8Array {
  checkEntry({ key, value });
  return climb(key, siblings, setLeafHash({ key, value }), root);
}

/**
 * The root, 32 bytes, of every set that this proves not to hold `key`, with whatever value. Compare it
 * with one that you trust, or give that as `root`. Throws `set_proof_invalid`.
 */
export function verifyAbsence({ key, siblings, other, root }: AbsenceClaim): Uint8Array {
  checkLength(key, 'the key');
  if (!other) return climb(key, siblings, EMPTY, root);
  checkEntry(other);
  if (equalBytes(other.key, key)) throw invalid('the leaf found in place of the key is its own');
  const depth = checkedDepth(siblings);
  if (!sharePrefix(other.key, key, depth)) throw invalid('the other leaf is not on the key’s path');
  return climb(key, siblings, setLeafHash(other), root);
}

/**
 * A leaf, or nothing, beside nothing would have moved up: with that refused, a set has one proof for a key.
 * Nothing beside a lone leaf would have moved up as well, and is not refused, for a hash does not show
 * whether it is a leaf's. It harms nobody: such a root belongs to no set, the key is not below it all the
 * same, and whoever recomputes the set's root from its entries (level L2) sees that it is another.
 */
function climb(
  key: Uint8Array,
  siblings: readonly Uint8Array[],
  end: Uint8Array,
  expected: Uint8Array | undefined,
): Uint8Array {
  const depth = checkedDepth(siblings);
  for (const sibling of siblings) checkLength(sibling, 'a sibling');
  const last = siblings[depth - 1];
  if (last && equalBytes(last, EMPTY)) throw invalid('the path ends beside nothing, too far down');
  let hash = end;
  for (let at = depth - 1; at >= 0; at--) {
    const sibling = siblings[at] as Uint8Array;
    hash = bitOf(key, at) === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  if (expected && !equalBytes(hash, expected)) throw invalid('the proof leads to another root');
  return hash;
}

function checkedDepth(siblings: readonly Uint8Array[]): number {
  if (siblings.length > KEY_BITS) {
    throw invalid(`a path has at most ${KEY_BITS} siblings, got ${siblings.length}`);
  }
  return siblings.length;
}

function checkEntry({ key, value }: Entry): void {
  checkLength(key, 'the key');
  checkLength(value, 'the value');
}

function checkLength(bytes: Uint8Array, what: string): void {
  if (bytes.length !== HASH_BYTES) {
    throw invalid(`${what} must have ${HASH_BYTES} bytes, got ${bytes.length}`);
  }
}

const invalid = (message: string): LegonetError => new LegonetError('set_proof_invalid', message);
