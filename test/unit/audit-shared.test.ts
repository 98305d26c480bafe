import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillInShared, leaveOutShared } from '#src/audit/certificate/shared.js';
import { encodeSetProof } from '#src/audit/sets/encoding.js';
import { proveSet } from '#src/audit/sets/tree.js';
import { entrySets, numberedFrom } from '../support/sets.js';

describe('what two proofs share', () => {
  test('is left out of the second, and filled in again, whatever the sets are', () => {
    fc.assert(
      fc.property(entrySets, entrySets, fc.nat(30), (before, after, which) => {
        const all = [...before, ...after];
        fc.pre(all.length > 0);
        const key = all[which % all.length]?.key ?? new Uint8Array(32);
        const [other, proof] = [before, after].map((set) => encodeSetProof(proveSet(set, key)));
        if (!other || !proof) throw new Error('two sets have two proofs');
        const left = leaveOutShared(proof, other);
        expect(fillInShared(left, other)).toEqual(proof);
      }),
    );
  });

  test('is nearly all of it after a deletion', () => {
    const before = numberedFrom(0, 1000);
    const [gone, ...after] = before;
    const key = gone?.key ?? new Uint8Array(32);
    const other = encodeSetProof(proveSet(before, key));
    const proof = encodeSetProof(proveSet(after, key));
    const left = leaveOutShared(proof, other);
    expect(left.shared.length).toBeGreaterThan(8);
    expect(left.proof.length).toBeLessThan(proof.length - 8 * 32);
    const wrong = [[...left.shared].reverse(), [...left.shared, 255], [0, ...left.shared], [0, 0]];
    for (const shared of wrong) {
      expect(() => fillInShared({ ...left, shared }, other)).toThrow('not shared');
    }
    expect(() => fillInShared({ proof, shared: left.shared }, other)).toThrow('not shared');
  });
});
