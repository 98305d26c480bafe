import { LegonetError } from '../../errors.js';
import { concat, equalBytes } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';
import type { SetProof } from './proof.js';
import { EMPTY, KEY_BITS } from './tree.js';

/*
 * A proof in bytes: what the path ends at (0 the key, 1 nothing, 2 another leaf); the number of siblings,
 * uint16; one bit for each, set unless it is empty, from the most significant, filled up with zeros to
 * whole bytes; the siblings that are not empty; for 2 the other leaf's key and value.
 */

const PRESENT = 0;
const NOTHING = 1;
const OTHER = 2;

/** About 32 log2(n) + 70 bytes for a set of n. `decodeSetProof` reads it. */
export function encodeSetProof(proof: SetProof): Uint8Array {
  const { siblings } = proof;
  const bitmap = new Uint8Array(Math.ceil(siblings.length / 8));
  const hashes: Uint8Array[] = [];
  siblings.forEach((sibling, i) => {
    if (equalBytes(sibling, EMPTY)) return;
    (bitmap[i >> 3] as number) |= 0x80 >> (i & 7);
    hashes.push(sibling);
  });
  const end = proof.present ? PRESENT : proof.other ? OTHER : NOTHING;
  const other = proof.present || !proof.other ? [] : [proof.other.key, proof.other.value];
  const head = Uint8Array.of(end, siblings.length >> 8, siblings.length & 0xff);
  return concat(head, bitmap, ...hashes, ...other);
}

/**
 * What `encodeSetProof` gives and nothing else: one encoding to each proof. Whether it proves anything is
 * for `verifyPresence` and `verifyAbsence` to say. Throws `set_proof_invalid`.
 */
export function decodeSetProof(bytes: Uint8Array): SetProof {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw invalid('ends early');
    at += length;
    return bytes.slice(at - length, at);
  };
  const [end, high, low] = take(3) as unknown as readonly [number, number, number];
  const depth = 256 * high + low;
  if (end > OTHER) throw invalid(`ends at ${end}, which means nothing`);
  if (depth > KEY_BITS) throw invalid(`has ${depth} siblings, at most ${KEY_BITS} can be`);
  const bitmap = take(Math.ceil(depth / 8));
  const isSet = (i: number) => ((bitmap[i >> 3] as number) & (0x80 >> (i & 7))) !== 0;
  for (let i = depth; i < 8 * bitmap.length; i++) {
    if (isSet(i)) throw invalid('counts siblings that it does not have');
  }
  const siblings = Array.from({ length: depth }, (_, i) => {
    if (!isSet(i)) return EMPTY;
    const sibling = take(HASH_BYTES);
    if (equalBytes(sibling, EMPTY)) throw invalid('spells out an empty sibling');
    return sibling;
  });
  const other = end === OTHER ? { key: take(HASH_BYTES), value: take(HASH_BYTES) } : null;
  if (at !== bytes.length) throw invalid('goes on after its end');
  return end === PRESENT ? { siblings, present: true } : { siblings, present: false, other };
}

const invalid = (what: string): LegonetError =>
  new LegonetError('set_proof_invalid', `the encoded proof ${what}`);
