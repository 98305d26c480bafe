import { LegonetError } from '../../errors.js';
import { concat, uint64, utf8 } from '../bytes.js';
import { SIGNATURE_BYTES, signEd25519, verifyEd25519 } from './ed25519.js';
import type { SignatureType, SignerKey, VerifierKey } from './keys.js';

/** A signature of a note. Whose it is is known only once it was verified with a key of that name and id. */
export type Signature = {
  readonly name: string;
  readonly id: number;
  /** What follows the id: 64 bytes of Ed25519, after a time of 8 bytes in a cosignature. */
  readonly bytes: Uint8Array;
};

/** What is signed in a cosignature of this time, in seconds since 1970 (c2sp.org/tlog-cosignature). */
const cosigned = (text: string, time: number): Uint8Array =>
  utf8(`cosignature/v1\ntime ${time}\n${text}`);

function checkType(key: SignerKey, type: SignatureType): void {
  if (key.type !== type) {
    throw new LegonetError('invalid_signing_key', `the key is of type ${key.type}, not ${type}`);
  }
}

/** Ed25519 (RFC 8032) of a message with the key of this seed: the same 64 bytes, whoever computes them. */
export type SignWith = (message: Uint8Array, seed: Uint8Array) => Uint8Array;

/** Signature over the text of a note. Throws `invalid_signing_key` for a key that cosigns. */
export function signText(text: string, key: SignerKey, sign: SignWith = signEd25519): Signature {
  checkType(key, 'ed25519');
  return { name: key.name, id: key.id, bytes: sign(utf8(text), key.seed) };
}

/**
 * Cosignature over the text of a checkpoint, at a time in seconds since 1970. Throws `invalid_signing_key` for a
 * key that does not cosign.
 */
export function cosignText(text: string, key: SignerKey, time: number): Signature {
  checkType(key, 'cosignature');
  const signature = signEd25519(cosigned(text, time), key.seed);
  return { name: key.name, id: key.id, bytes: concat(uint64(BigInt(time)), signature) };
}

/** A signature that holds: of a cosignature also the time. */
export type Verified = { readonly key: VerifierKey; readonly time: number | null };

/** Null if the signature is not this key's over the text. */
export function verifyText(text: string, key: VerifierKey, signature: Signature): Verified | null {
  const { bytes } = signature;
  if (key.name !== signature.name || key.id !== signature.id) return null;
  if (key.type === 'ed25519') {
    return verifyEd25519(bytes, utf8(text), key.publicKey) ? { key, time: null } : null;
  }
  if (bytes.length !== 8 + SIGNATURE_BYTES) return null;
  const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  if (!Number.isSafeInteger(time)) return null;
  const holds = verifyEd25519(bytes.subarray(8), cosigned(text, time), key.publicKey);
  return holds ? { key, time } : null;
}
