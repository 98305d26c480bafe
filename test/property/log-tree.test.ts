import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leafHash, nodeHash, sha256 } from '#src/audit/hash.js';
import {
  consistencyProofOf,
  inclusionProofOf,
  multiproof,
  multiproofRoot,
  nodesOver,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '#src/audit/log/merkle.js';
import { leftSize } from '#src/audit/log/positions.js';

const invalid = expect.objectContaining({ code: 'invalid_proof' });
const leaves = (size: number) =>
  Array.from({ length: size }, (_, i) => leafHash(Uint8Array.of(i, i >> 8)));

/** RFC 6962, section 2.1, word for word. */
function definition(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha256(new Uint8Array());
  if (hashes.length === 1) return hashes[0] as Uint8Array;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(definition(hashes.slice(0, k)), definition(hashes.slice(k)));
}

const flip = (hash: Uint8Array, bit: number): Uint8Array =>
  hash.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

/** A size and an index below it. */
const place = fc
  .integer({ min: 1, max: 300 })
  .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));
/** A size, and some indexes below it in order. */
const places = fc
  .integer({ min: 1, max: 300 })
  .chain((size) =>
    fc.tuple(
      fc.constant(size),
      fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { minLength: 1, maxLength: 20 }),
    ),
  )
  .map(([size, indexes]) => [size, indexes.sort((a, b) => a - b)] as const);
const bit = fc.integer({ min: 0, max: 255 });

test('the root is the one that RFC 6962 defines, for each size up to 300', () => {
  const all = leaves(300);
  for (let size = 0; size <= all.length; size++) {
    const some = all.slice(0, size);
    expect(rootOf(some)).toEqual(definition(some));
  }
});

test('trees are split exactly, up to the largest safe size', () => {
  for (let power = 1; power < 53; power++) {
    expect(leftSize(2 ** power)).toBe(2 ** (power - 1));
    expect(leftSize(2 ** power + 1)).toBe(2 ** power);
  }
  expect(leftSize(Number.MAX_SAFE_INTEGER)).toBe(2 ** 52);
});

describe('an inclusion proof', () => {
  const proofOf = (size: number, index: number) => {
    const all = leaves(size);
    return {
      index,
      size,
      leaf: all[index] as Uint8Array,
      proof: inclusionProofOf(index, size, nodesOver(all)),
      root: rootOf(all),
    };
  };

  test('of any leaf of any tree verifies', () => {
    fc.assert(fc.property(place, ([size, index]) => verifyInclusion(proofOf(size, index))));
  });

  test('verifies no other leaf, index, root or path', () => {
    fc.assert(
      fc.property(place, bit, fc.nat(), ([size, index], bit, n) => {
        const { leaf, proof, root, ...rest } = proofOf(size, index);
        const refused = (change: object) =>
          expect(() => verifyInclusion({ leaf, proof, root, ...rest, ...change })).toThrow(invalid);
        refused({ leaf: flip(leaf, bit) });
        refused({ root: flip(root, bit) });
        refused({ proof: [...proof, leaf] });
        refused({ index: size });
        refused({ index: -1 });
        refused({ index: index + 0.5 });
        if (size > 1) {
          const at = n % proof.length;
          refused({ proof: proof.with(at, flip(proof[at] as Uint8Array, bit)) });
          refused({ proof: proof.toSpliced(at, 1) });
          refused({ proof: proof.with(at, (proof[at] as Uint8Array).subarray(1)) });
          refused({ index: (index + 1 + (n % (size - 1))) % size });
        }
      }),
    );
  });
});

describe('a consistency proof', () => {
  const proofOf = (size1: number, size2: number) => {
    const all = leaves(size2);
    return {
      size1,
      root1: rootOf(all.slice(0, size1)),
      size2,
      root2: rootOf(all),
      proof: consistencyProofOf(size1, size2, nodesOver(all)),
    };
  };

  test('from any tree to any that begins with it verifies', () => {
    fc.assert(fc.property(place, ([size, before]) => verifyConsistency(proofOf(before + 1, size))));
  });

  test('verifies no other root and no other path', () => {
    fc.assert(
      fc.property(place, bit, fc.nat(), ([size2, before], bit, n) => {
        const { root1, root2, proof, ...rest } = proofOf(before + 1, size2);
        const refused = (change: object) =>
          expect(() => verifyConsistency({ root1, root2, proof, ...rest, ...change })).toThrow(
            invalid,
          );
        refused({ root1: flip(root1, bit) });
        refused({ root2: flip(root2, bit) });
        refused({ proof: [...proof, root1] });
        refused({ size1: 0 });
        refused({ size1: size2 + 1 });
        if (proof.length > 0) {
          const at = n % proof.length;
          refused({ proof: proof.with(at, flip(proof[at] as Uint8Array, bit)) });
          refused({ proof: proof.toSpliced(at, 1) });
        }
      }),
    );
  });

  test('from nothing is not made', () => {
    expect(() => proofOf(0, 5)).toThrow(invalid);
  });
});

describe('a multiproof', () => {
  const proofOf = (size: number, indexes: readonly number[]) => {
    const all = leaves(size);
    return {
      size,
      leaves: indexes.map((index) => ({ index, hash: all[index] as Uint8Array })),
      proof: multiproof(indexes, size, nodesOver(all)),
    };
  };

  test('of any leaves of any tree leads to its root', () => {
    fc.assert(
      fc.property(places, ([size, indexes]) => {
        expect(multiproofRoot(proofOf(size, indexes))).toEqual(rootOf(leaves(size)));
      }),
    );
  });

  test('with any hash changed leads to another root', () => {
    fc.assert(
      fc.property(places, bit, fc.nat(), ([size, indexes], bit, n) => {
        const { leaves: opened, proof } = proofOf(size, indexes);
        const root = rootOf(leaves(size));
        const i = n % opened.length;
        const { index, hash } = opened[i] as { index: number; hash: Uint8Array };
        const changed = opened.with(i, { index, hash: flip(hash, bit) });
        expect(multiproofRoot({ size, leaves: changed, proof })).not.toEqual(root);
        if (proof.length > 0) {
          const at = n % proof.length;
          const other = proof.with(at, flip(proof[at] as Uint8Array, bit));
          expect(multiproofRoot({ size, leaves: opened, proof: other })).not.toEqual(root);
        }
      }),
    );
  });

  test('with a leaf at another index leads to another root, or to none', () => {
    fc.assert(
      fc.property(places, fc.nat(), ([size, indexes], n) => {
        const { leaves: opened, proof } = proofOf(size, indexes);
        const i = n % opened.length;
        const { hash } = opened[i] as { hash: Uint8Array };
        const free = Array.from({ length: size }, (_, index) => index).filter(
          (index) => !indexes.includes(index),
        );
        if (free.length === 0) return;
        const moved = opened
          .with(i, { index: free[n % free.length] as number, hash })
          .sort((a, b) => a.index - b.index);
        let root: Uint8Array | null = null;
        try {
          root = multiproofRoot({ size, leaves: moved, proof });
        } catch (error) {
          expect(error).toEqual(invalid);
        }
        expect(root).not.toEqual(rootOf(leaves(size)));
      }),
    );
  });

  test('has exactly the hashes it needs, of leaves in order that there are', () => {
    fc.assert(
      fc.property(places, ([size, indexes]) => {
        const { leaves: opened, proof } = proofOf(size, indexes);
        const refused = (change: object) =>
          expect(() => multiproofRoot({ size, leaves: opened, proof, ...change })).toThrow(invalid);
        refused({ proof: [...proof, sha256()] });
        if (proof.length > 0) refused({ proof: proof.slice(1) });
        if (opened.length > 1) refused({ leaves: opened.toReversed() });
        refused({ leaves: [] });
        refused({ leaves: [...opened, opened.at(-1)] });
        refused({ leaves: [...opened, { index: size, hash: sha256() }] });
        refused({ leaves: opened.map(({ index }) => ({ index, hash: new Uint8Array(31) })) });
      }),
    );
  });
});
