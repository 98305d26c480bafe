import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildSet } from '#src/audit/sets/build.js';
import { type HashPairs, hashPairs } from '#src/audit/sets/hash-pairs.js';
import { loadHashPairs } from '#src/kernel/hash-pairs.js';
import { sha256Constants } from '#src/kernel/sha256-constants.js';
import { nodeHashPairs } from '#src/store/hash-pairs.js';
import { flat, numberedFrom } from '../support/sets.js';

const wasm = await loadHashPairs();

const plain: HashPairs = (prefix, pairs) =>
  Buffer.concat(
    Array.from({ length: pairs.length / 64 }, (_, i) =>
      createHash('sha256')
        .update(Uint8Array.of(prefix))
        .update(pairs.subarray(64 * i, 64 * (i + 1)))
        .digest(),
    ),
  );

describe.each([
  ['the definition', hashPairs],
  ['Node', nodeHashPairs],
  ['WebAssembly', wasm],
])('the hash of sets by %s', (_, hash) => {
  test('is SHA-256 of the prefix and 64 bytes, for any number of them', () => {
    const pairs = fc
      .array(fc.uint8Array({ minLength: 64, maxLength: 64 }), { maxLength: 20 })
      .map((rows) => Uint8Array.from(rows.flatMap((row) => [...row])));
    fc.assert(
      fc.property(fc.nat(255), pairs, (prefix, rows) => {
        expect(Buffer.from(hash(prefix, rows))).toEqual(plain(prefix, rows));
      }),
    );
  });

  test('is so across batches, and for bytes of all ones and all zeros', () => {
    for (const rows of [1023, 1024, 1025, 2500]) {
      const pairs = Uint8Array.from({ length: 64 * rows }, (_, i) => (i * i) >> 7);
      expect(Buffer.from(hash(1, pairs)).equals(plain(1, pairs))).toBe(true);
    }
    for (const byte of [0, 255]) {
      const pairs = new Uint8Array(64 * 5).fill(byte);
      for (const prefix of [0, 1, 255]) {
        expect(Buffer.from(hash(prefix, pairs)).equals(plain(prefix, pairs))).toBe(true);
      }
    }
  });

  test('gives bytes of the caller’s own, and leaves alone what it was given', () => {
    const [a, b] = [flat(numberedFrom(0, 3)), flat(numberedFrom(3, 6))];
    const copy = a.slice();
    const first = hash(0, a);
    hash(0, b);
    expect(Buffer.from(first).equals(plain(0, copy))).toBe(true);
    expect(a).toEqual(copy);
  });

  test('builds the same set', () => {
    const entries = flat(numberedFrom(0, 2000));
    expect(buildSet(entries, hash)).toEqual(buildSet(entries));
  });
});

test('SHA-256’s constants are those of FIPS 180-4', () => {
  const constants = sha256Constants();
  expect(constants).toHaveLength(72);
  expect([...constants.subarray(0, 2), ...constants.subarray(63, 66)]).toEqual([
    0x428a2f98, 0x71374491, 0xc67178f2, 0x6a09e667, 0xbb67ae85,
  ]);
});
