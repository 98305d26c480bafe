import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as digest } from '@noble/hashes/sha2.js';
import { concat } from './bytes.js';

/** SHA-256 of the parts, one after the other: 32 bytes. */
export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  digest(parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts));

/** HMAC-SHA-256 (RFC 2104): 32 bytes. */
export const hmacSha256 = (key: Uint8Array, message: Uint8Array): Uint8Array =>
  hmac(digest, key, message);

/** Bytes of a digest. */
export const HASH_BYTES = 32;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Hash of an entry of a Merkle tree (RFC 6962, section 2.1). */
export const leafHash = (entry: Uint8Array): Uint8Array => sha256(LEAF, entry);

/** Hash of an inner node (RFC 6962, section 2.1). */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(NODE, left, right);
