import { ed25519 } from '@noble/curves/ed25519.js';

/** Bytes of a seed (what RFC 8032 calls a private key) and of a public key. */
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

export const publicKeyOf = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed);

export const signEd25519 = (message: Uint8Array, seed: Uint8Array): Uint8Array =>
  ed25519.sign(message, seed);

/**
 * Whether the signature is the key's over the message, by RFC 8032, section 5.1.7, and no laxer: no encoding that
 * is not canonical, no key of small order. False for whatever is no signature or no key.
 */
export function verifyEd25519(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}
