import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { joinRows } from '#src/audit/sets/entries.js';
import { type HashPairs, hashPairs } from '#src/audit/sets/hash-pairs.js';
import type { Entry } from '#src/audit/sets/tree.js';

const sha256 = (text: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(text).digest());

/** Entry number `i` of a set: always the same. */
export const numbered = (i: number, value = 'value'): Entry => ({
  key: sha256(`key ${i}`),
  value: sha256(`${value} ${i}`),
});

export const numberedFrom = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from }, (_, i) => numbered(from + i));

export const flat = (entries: readonly Entry[]): Uint8Array =>
  joinRows(entries.flatMap(({ key, value }) => [key, value]));

export const flatKeys = (entries: readonly Entry[]): Uint8Array =>
  joinRows(entries.map(({ key }) => key));

/** A key that shares `bits` bits with `key`, and not the next. */
export function keyBeside(key: Uint8Array, bits: number): Uint8Array {
  const other = key.slice();
  (other[bits >> 3] as number) ^= 0x80 >> (bits & 7);
  return other;
}

/** Sets in which keys share much or little, down to their last bit. */
export const entrySets: fc.Arbitrary<Entry[]> = fc
  .array(
    fc
      .tuple(fc.nat(15), fc.integer({ min: 0, max: 255 }), fc.nat(1000))
      .map(([i, bits, value]) => ({
        key: keyBeside(numbered(i).key, bits),
        value: numbered(value).value,
      })),
    { maxLength: 80 },
  )
  .map((entries) => [...new Map(entries.map((entry) => [entry.key.join(), entry])).values()]);

/** Counts what is hashed. */
export function countingHash(): { readonly hash: HashPairs; count(): number } {
  let hashed = 0;
  return {
    hash: (prefix, pairs) => {
      hashed += pairs.length / 64;
      return hashPairs(prefix, pairs);
    },
    count: () => hashed,
  };
}
