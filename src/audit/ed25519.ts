import { ed25519 } from '@noble/curves/ed25519.js';

/** Whether the signature is the key's, by the strict rules of RFC 8032. Never throws: bad lengths are a no. */
export function verifyEd25519(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}
