import { createPrivateKey, type KeyObject, sign } from 'node:crypto';

/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410, section 7). */
const PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

let known: { readonly seed: Uint8Array; readonly key: KeyObject } | undefined;

/** `signEd25519` by OpenSSL, ten times as fast: the same bytes, for Ed25519 signatures are deterministic. */
export function fastSign(message: Uint8Array, seed: Uint8Array): Uint8Array {
  if (known?.seed !== seed) {
    const der = Buffer.concat([PREFIX, seed]);
    known = { seed, key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
  }
  return sign(null, message, known.key);
}
