import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { concat, equalBytes, fromHex } from '#src/audit/bytes.js';
import { nodeHash, sha256 } from '#src/audit/hash.js';
import { decodeSetProof, encodeSetProof } from '#src/audit/sets/encoding.js';
import { type SetProof, verifyAbsence, verifyPresence } from '#src/audit/sets/proof.js';
import { bitOf, EMPTY, type Entry, setLeafHash, sharePrefix } from '#src/audit/sets/tree.js';
import { decodeCommitmentProof, type ExistenceProof } from '../support/ics23.js';
import { keyBeside } from '../support/sets.js';
import { vectorsOrSkip } from '../support/vectors.js';

/*
 * The tree of ICS-23's `SmtSpec` (Celestia's smt): leaf = SHA-256(0 || SHA-256(key) || SHA-256(value)), inner
 * node = SHA-256(1 || left || right), empty = 32 zero bytes, path bits from the most significant, a lone leaf
 * at its shallowest place. It is ours, once key and value are hashed as theirs are.
 *
 * What does not match: absence. ICS-23 shows the neighbours in order of keys, left and right, and checks that
 * no leaf can be between. We show what is at the key's own place. That follows from the neighbours: the key's
 * path ends at one of their leaves, or leaves both their paths and ends at nothing, beside the one that it
 * follows longer. So our check is of a proof derived here, and theirs, of order, is not made.
 */

type Vector = {
  readonly root: string;
  readonly proof: string;
  readonly key: string;
  readonly value: string;
};

const entryOf = ({ key, value }: ExistenceProof): Entry => ({
  key: sha256(key),
  value: sha256(value),
});

/** From the root down, as ours; which side they are on is left to the key's bits. */
const siblingsOf = ({ path, leafPrefix }: ExistenceProof): Uint8Array[] => {
  expect(leafPrefix).toEqual(Uint8Array.of(0));
  return path
    .map(({ prefix, suffix }) => {
      expect([prefix[0], prefix.length + suffix.length]).toEqual([1, 33]);
      return concat(prefix.subarray(1), suffix);
    })
    .reverse();
};

const commonBits = (a: Uint8Array, b: Uint8Array): number => {
  let bits = 0;
  while (sharePrefix(a, b, bits + 1)) bits++;
  return bits;
};

/** The subtree at `depth` on the way to `entry`. */
function subtree(entry: Entry, siblings: readonly Uint8Array[], depth: number): Uint8Array {
  let hash = setLeafHash(entry);
  for (let at = siblings.length - 1; at >= depth; at--) {
    const sibling = siblings[at] as Uint8Array;
    hash = bitOf(entry.key, at) === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  return hash;
}

/** Our proof that `key` is absent, from its neighbours. */
function absence(key: Uint8Array, neighbours: readonly ExistenceProof[]): SetProof {
  const [nearest] = neighbours
    .map((proof) => ({ entry: entryOf(proof), siblings: siblingsOf(proof) }))
    .map((near) => ({ ...near, common: commonBits(near.entry.key, key) }))
    .sort((a, b) => b.common - a.common);
  if (!nearest) throw new Error('no neighbour');
  const { entry, siblings, common } = nearest;
  if (common >= siblings.length) return { present: false, siblings, other: entry };
  expect(siblings[common]).toEqual(EMPTY);
  const beside = subtree(entry, siblings, common + 1);
  return { present: false, siblings: [...siblings.slice(0, common), beside], other: null };
}

const reads = (directory: string, name: string) => {
  const file = readFileSync(join(directory, 'ics23/smt', `${name}.json`), 'utf8');
  const vector: Vector = JSON.parse(file);
  const proof = decodeCommitmentProof(fromHex(vector.proof));
  return {
    proof,
    root: fromHex(vector.root),
    key: fromHex(vector.key),
    value: fromHex(vector.value),
  };
};

const leadsTo = (root: Uint8Array, climb: () => Uint8Array): boolean => {
  try {
    return equalBytes(climb(), root);
  } catch (error) {
    expect(error).toMatchObject({ code: 'set_proof_invalid' });
    return false;
  }
};

vectorsOrSkip('sparse Merkle trees of ICS-23', (directory) => {
  test.each(['exist_left', 'exist_middle', 'exist_right'])('%s: is present', (name) => {
    const { proof, root, key, value } = reads(directory, name);
    if (!('exists' in proof)) throw new Error('not a proof of existence');
    const siblings = siblingsOf(proof.exists);
    const entry = { key: sha256(key), value: sha256(value) };
    expect(verifyPresence({ ...entry, siblings })).toEqual(root);
    expect(decodeSetProof(encodeSetProof({ present: true, siblings })).siblings).toEqual(siblings);
    // Every bit of the path is the key's.
    siblings.forEach((_, bit) => {
      const moved = { ...entry, key: keyBeside(entry.key, bit) };
      expect(leadsTo(root, () => verifyPresence({ ...moved, siblings }))).toBe(false);
    });
    expect(leadsTo(root, () => verifyPresence({ ...entry, value: EMPTY, siblings }))).toBe(false);
    expect(leadsTo(root, () => verifyAbsence({ key: entry.key, siblings, other: entry }))).toBe(
      false,
    );
  });

  test.each(['nonexist_left', 'nonexist_middle', 'nonexist_right'])('%s: is absent', (name) => {
    const { proof, root, key } = reads(directory, name);
    if ('exists' in proof) throw new Error('not a proof of non-existence');
    const neighbours = [proof.left, proof.right].filter((near) => near !== null);
    for (const near of neighbours) {
      expect(verifyPresence({ ...entryOf(near), siblings: siblingsOf(near) })).toEqual(root);
    }
    const derived = absence(sha256(key), neighbours);
    if (derived.present) throw new Error('derived another proof');
    const { siblings, other } = derived;
    expect(verifyAbsence({ key: sha256(key), siblings, other })).toEqual(root);
    // The same cannot be said of the neighbours, which are there.
    for (const near of neighbours) {
      const claim = { key: entryOf(near).key, siblings, other };
      expect(leadsTo(root, () => verifyAbsence(claim))).toBe(false);
    }
  });
});
