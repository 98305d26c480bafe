import { HASH_BYTES, sha256 } from '../hash.js';

/**
 * SHA-256 of `prefix` followed by 64 bytes, for each 64 bytes of `pairs`: 32 bytes each, in their order.
 * Leaves (prefix 0: key, value) and inner nodes (prefix 1: left, right) alike. Whole levels at a time, so
 * that a faster one than the default can be had: it must give the same.
 */
export type HashPairs = (prefix: number, pairs: Uint8Array) => Uint8Array;

export const PAIR_BYTES = 2 * HASH_BYTES;
export const LEAF_PREFIX = 0;
export const NODE_PREFIX = 1;

/** From a function that gives the SHA-256 of one message, and does not keep it. */
export const pairsBy =
  (hash: (message: Uint8Array) => Uint8Array): HashPairs =>
  (prefix, pairs) => {
    const out = new Uint8Array(pairs.length / 2);
    const message = new Uint8Array(1 + PAIR_BYTES);
    message[0] = prefix;
    for (let at = 0; at < pairs.length; at += PAIR_BYTES) {
      message.set(pairs.subarray(at, at + PAIR_BYTES), 1);
      out.set(hash(message), at / 2);
    }
    return out;
  };

/** The definition. Runs everywhere. */
export const hashPairs: HashPairs = pairsBy((message) => sha256(message));
