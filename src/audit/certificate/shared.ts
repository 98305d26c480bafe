import { LegonetError } from '../../errors.js';
import { equalBytes } from '../bytes.js';
import { decodeSetProof, encodeSetProof } from '../sets/encoding.js';
import { EMPTY } from '../sets/tree.js';

/*
 * Two proofs for one key in the retained sets of two versions have much in common, the less happened between
 * them the more: the second leaves it out.
 */

const isEmpty = (hash: Uint8Array): boolean => equalBytes(hash, EMPTY);

export type WithoutShared = {
  /** The proof with these siblings empty. */
  readonly proof: Uint8Array;
  /** Their levels, from the root (0) down. */
  readonly shared: readonly number[];
};

/** Leaves out of an encoded proof the siblings that another has at the same level. */
export function leaveOutShared(proof: Uint8Array, other: Uint8Array): WithoutShared {
  const decoded = decodeSetProof(proof);
  const { siblings } = decodeSetProof(other);
  const shared = decoded.siblings.flatMap((sibling, level) => {
    const there = siblings[level];
    return there && !isEmpty(sibling) && equalBytes(sibling, there) ? [level] : [];
  });
  const left = decoded.siblings.map((sibling, level) => (shared.includes(level) ? EMPTY : sibling));
  return { proof: encodeSetProof({ ...decoded, siblings: left }), shared };
}

/** The encoded proof with them again. Throws `set_proof_invalid` for what `leaveOutShared` does not give. */
export function fillInShared({ proof, shared }: WithoutShared, other: Uint8Array): Uint8Array {
  const decoded = decodeSetProof(proof);
  const siblings = [...decoded.siblings];
  const others = decodeSetProof(other).siblings;
  shared.forEach((level, i) => {
    const [here, there] = [siblings[level], others[level]];
    const isLeftOut = here !== undefined && isEmpty(here);
    if (!isLeftOut || !there || isEmpty(there) || (i > 0 && level <= (shared[i - 1] as number))) {
      throw new LegonetError('set_proof_invalid', `level ${level} is not shared by both proofs`);
    }
    siblings[level] = there;
  });
  return encodeSetProof({ ...decoded, siblings });
}
