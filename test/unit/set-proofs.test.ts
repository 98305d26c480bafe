import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeHash } from '#src/audit/hash.js';
import { decodeSetProof, encodeSetProof } from '#src/audit/sets/encoding.js';
import { type SetProof, verifyAbsence, verifyPresence } from '#src/audit/sets/proof.js';
import { EMPTY, type Entry, proveSet, setLeafHash, setRoot } from '#src/audit/sets/tree.js';
import { entrySets, keyBeside, numbered, numberedFrom } from '../support/sets.js';

const INVALID = expect.objectContaining({ code: 'set_proof_invalid' });

const rootOf = (entry: Entry, proof: SetProof): Uint8Array =>
  proof.present
    ? verifyPresence({ ...entry, siblings: proof.siblings })
    : verifyAbsence({ key: entry.key, siblings: proof.siblings, other: proof.other });

/** The keys of the set, some that end beside each of them, and some from elsewhere. */
const asked = (entries: readonly Entry[]): Entry[] => [
  ...entries,
  ...entries.flatMap((entry, i) => [
    { ...entry, key: keyBeside(entry.key, i) },
    { ...entry, key: keyBeside(entry.key, 255) },
  ]),
  ...numberedFrom(100, 105),
];

describe('a set', () => {
  test('has the root of its shape: the empty set’s is zeros, a lone entry’s is its leaf', () => {
    const [a] = numberedFrom(0, 1) as [Entry];
    const b = { key: keyBeside(a.key, 2), value: a.value };
    expect(setRoot([])).toEqual(new Uint8Array(32));
    expect(setRoot([a])).toEqual(setLeafHash(a));
    // They part at the third bit.
    const zeroth = (entry: Entry, bit: number) => ((entry.key[0] as number) >> (7 - bit)) & 1;
    const [left, right] = zeroth(a, 2) === 0 ? [a, b] : [b, a];
    let root = nodeHash(setLeafHash(left), setLeafHash(right));
    for (const bit of [1, 0]) {
      root = zeroth(a, bit) === 0 ? nodeHash(root, EMPTY) : nodeHash(EMPTY, root);
    }
    expect(setRoot([a, b])).toEqual(root);
  });

  test('has one root in whatever order it is given', () => {
    fc.assert(
      fc.property(entrySets, fc.nat(), (entries, at) => {
        const turned = [...entries.slice(at % 7), ...entries.slice(0, at % 7)].reverse();
        expect(setRoot(turned)).toEqual(setRoot(entries));
      }),
    );
  });

  test('refuses two entries with one key', () => {
    const a = numbered(1);
    expect(() => setRoot([a, numbered(2), { ...a, value: EMPTY }])).toThrow(
      expect.objectContaining({ code: 'set_corrupt' }),
    );
  });
});

describe('a proof', () => {
  test('of every key in the set and of any other leads to the set’s root', () => {
    fc.assert(
      fc.property(entrySets, (entries) => {
        const root = setRoot(entries);
        for (const entry of asked(entries)) {
          const proof = proveSet(entries, entry.key);
          const inSet = entries.some(({ key }) => Buffer.compare(key, entry.key) === 0);
          expect(proof.present).toBe(inSet);
          expect(rootOf(entry, proof)).toEqual(root);
        }
      }),
    );
  });

  test('with any sibling, value or other leaf changed leads elsewhere', () => {
    const entries = numberedFrom(0, 40);
    const root = setRoot(entries);
    for (const entry of asked(entries)) {
      const proof = proveSet(entries, entry.key);
      const leadsHere = (changed: SetProof, claimed = entry): boolean => {
        try {
          return Buffer.compare(rootOf(claimed, changed), root) === 0;
        } catch (error) {
          expect(error).toEqual(INVALID);
          return false;
        }
      };
      proof.siblings.forEach((sibling, i) => {
        for (const other of [keyBeside(sibling, i), EMPTY].filter(
          (o) => o.join() !== sibling.join(),
        )) {
          expect(leadsHere({ ...proof, siblings: proof.siblings.with(i, other) })).toBe(false);
        }
        expect(leadsHere({ ...proof, siblings: proof.siblings.toSpliced(i, 1) })).toBe(false);
      });
      expect(leadsHere({ ...proof, siblings: [...proof.siblings, EMPTY] })).toBe(false);
      if (proof.present) {
        expect(leadsHere(proof, { ...entry, value: keyBeside(entry.value, 9) })).toBe(false);
        // Nor does a proof of presence serve as one of absence.
        expect(leadsHere({ ...proof, present: false, other: null })).toBe(false);
        expect(leadsHere({ ...proof, present: false, other: entry })).toBe(false);
      } else if (proof.other) {
        const { key, value } = proof.other;
        const other = { key, value: keyBeside(value, 3) };
        expect(leadsHere({ ...proof, other })).toBe(false);
        expect(leadsHere({ ...proof, other: null })).toBe(false);
      }
    }
  });

  test('of absence cannot be had for a key in the set by another’s place: the path bits are the key’s', () => {
    const entries = numberedFrom(0, 40);
    const root = setRoot(entries);
    const lies = entries.map(({ key }) => {
      // The honest proof for a key elsewhere in the tree, presented for this one.
      const elsewhere = proveSet(entries, keyBeside(key, 0));
      const { siblings } = elsewhere;
      const other = elsewhere.present ? null : elsewhere.other;
      try {
        return verifyAbsence({ key, siblings, other });
      } catch (error) {
        expect(error).toEqual(INVALID);
        return EMPTY;
      }
    });
    expect(lies.filter((reached) => Buffer.compare(reached, root) === 0)).toEqual([]);
  });

  test('that shows another leaf must show one on the key’s path, and not the key’s own', () => {
    const entries = numberedFrom(0, 8);
    const { key } = numbered(50);
    const siblings = [EMPTY, EMPTY, setRoot(entries)];
    const onPath = { key: keyBeside(key, 3), value: key };
    const offPath = { key: keyBeside(key, 2), value: key };
    expect(verifyAbsence({ key, siblings, other: onPath })).toHaveLength(32);
    expect(() => verifyAbsence({ key, siblings, other: offPath })).toThrow(INVALID);
    expect(() => verifyAbsence({ key, siblings, other: { key, value: key } })).toThrow(INVALID);
  });

  test('that ends beside nothing is refused, however it ends: a leaf lies as high as it can', () => {
    const [a, b] = [numbered(0), { ...numbered(1), key: keyBeside(numbered(0).key, 1) }];
    const siblings = [a.value, EMPTY];
    expect(() => verifyPresence({ ...a, siblings })).toThrow(INVALID);
    expect(() => verifyAbsence({ key: a.key, siblings, other: null })).toThrow(INVALID);
    const other = { ...b, key: keyBeside(a.key, 100) };
    expect(() => verifyAbsence({ key: a.key, siblings, other })).toThrow(INVALID);
    // Nothing in the empty set, and a lone leaf, are beside nobody.
    expect(verifyAbsence({ key: a.key, siblings: [], other: null })).toEqual(EMPTY);
    expect(verifyPresence({ ...a, siblings: [] })).toEqual(setRoot([a]));
  });

  test('of nothing beside a lone leaf belongs to no set, and hides no key', () => {
    const a = numbered(0);
    const beside = keyBeside(a.key, 0);
    const leaf = setLeafHash(a);
    // A server may make up such a tree; then its root is not the one that the entries give.
    const root = verifyAbsence({ key: beside, siblings: [leaf], other: null });
    expect(root).not.toEqual(setRoot([a]));
    // In it, too, the leaf can only be proven at its own place, and the empty place stays empty.
    expect(() => verifyPresence({ ...a, key: beside, siblings: [EMPTY], root })).toThrow(INVALID);
  });

  test('has at most 256 siblings, and 32 bytes wherever it has any', () => {
    const { key, value } = numbered(0);
    const deep = (length: number) => Array.from({ length }, () => value);
    expect(verifyPresence({ key, value, siblings: deep(256) })).toHaveLength(32);
    expect(() => verifyPresence({ key, value, siblings: deep(257) })).toThrow(INVALID);
    expect(() => verifyAbsence({ key, siblings: deep(257), other: null })).toThrow(INVALID);
    const short = value.subarray(1);
    for (const claim of [
      { key: short, value, siblings: [] },
      { key, value: short, siblings: [] },
      { key, value, siblings: [short] },
    ]) {
      expect(() => verifyPresence(claim)).toThrow(INVALID);
    }
    const other = { key: keyBeside(key, 9), value: short };
    expect(() => verifyAbsence({ key, siblings: [], other })).toThrow(INVALID);
    expect(() => verifyAbsence({ key: short, siblings: [], other: null })).toThrow(INVALID);
  });

  test('against a given root says whether it leads there', () => {
    const entries = numberedFrom(0, 20);
    const [entry] = entries as [Entry];
    const { siblings } = proveSet(entries, entry.key);
    const root = setRoot(entries);
    expect(verifyPresence({ ...entry, siblings, root })).toEqual(root);
    expect(() => verifyPresence({ ...entry, siblings, root: EMPTY })).toThrow(INVALID);
  });
});

describe('an encoded proof', () => {
  test('is read as it was, from one encoding only', () => {
    fc.assert(
      fc.property(entrySets, (entries) => {
        for (const { key } of asked(entries).slice(0, 20)) {
          const proof = proveSet(entries, key);
          expect(decodeSetProof(encodeSetProof(proof))).toEqual(proof);
        }
      }),
    );
  });

  test('that was changed, cut or lengthened is refused or is another proof', () => {
    const entries = numberedFrom(0, 30);
    for (const { key } of [...numberedFrom(0, 2), ...numberedFrom(90, 92)]) {
      const bytes = encodeSetProof(proveSet(entries, key));
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const changed = keyBeside(bytes, bit);
        try {
          expect(encodeSetProof(decodeSetProof(changed))).toEqual(changed);
        } catch (error) {
          expect(error).toEqual(INVALID);
        }
      }
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeSetProof(bytes.subarray(0, length))).toThrow(INVALID);
      }
      expect(() => decodeSetProof(Uint8Array.of(...bytes, 0))).toThrow(INVALID);
    }
  });

  test('does not spell out what is empty, count what it lacks, or go deeper than a key', () => {
    const zeros = new Uint8Array(32);
    expect(() => decodeSetProof(Uint8Array.of(1, 0, 1, 0x80, ...zeros))).toThrow(INVALID);
    expect(() => decodeSetProof(Uint8Array.of(1, 0, 1, 0x40))).toThrow(INVALID);
    expect(() => decodeSetProof(Uint8Array.of(1, 1, 1, ...zeros, 0))).toThrow(INVALID);
    expect(() => decodeSetProof(Uint8Array.of(3, 0, 0))).toThrow(INVALID);
    expect(decodeSetProof(Uint8Array.of(1, 0, 9, 0, 0)).siblings).toHaveLength(9);
  });

  test('is small: for 1,000 entries, 11 siblings and the other leaf on average', () => {
    const entries = numberedFrom(0, 1000);
    const sizes = numberedFrom(2000, 2050).map(
      ({ key }) => encodeSetProof(proveSet(entries, key)).length,
    );
    expect(sizes.reduce((a, b) => a + b) / sizes.length).toBeLessThan(32 * 11 + 70);
  });
});
