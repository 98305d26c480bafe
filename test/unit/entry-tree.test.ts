import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leafHash } from '#src/audit/hash.js';
import { rootOf } from '#src/audit/log/merkle.js';
import { EntryTree } from '#src/build/entry-tree.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('whatever changes between two roots, each is that of the tree as it is defined', () => {
  const entries = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(entries, { minLength: 1, maxLength: 6 }), (steps) => {
      const encode = (n: number) => Uint8Array.of(n, 7);
      const tree = new EntryTree<number>((a, b) => a === b, encode);
      for (const step of steps) {
        expect(hex(tree.root(step))).toBe(hex(rootOf(step.map(encode).map(leafHash))));
      }
    }),
  );
});
