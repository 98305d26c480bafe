import { LegonetError } from '../../errors.js';
import { concat, fromBase64, toBase64, uint32, utf8 } from '../bytes.js';
import { sha256 } from '../hash.js';
import { KEY_BYTES, publicKeyOf } from './ed25519.js';

/*
 * Keys of signed notes (c2sp.org/signed-note) in the text form of Go's golang.org/x/mod/sumdb/note: a verifier key
 * is NAME+ID+BASE64, a signer key PRIVATE+KEY+NAME+ID+BASE64.
 */

/** Ed25519 over the text of a note, and Ed25519 over a checkpoint and a time (c2sp.org/tlog-cosignature). */
export const SIGNATURE_TYPES = { ed25519: 0x01, cosignature: 0x04 } as const;

export type SignatureType = keyof typeof SIGNATURE_TYPES;

export type VerifierKey = {
  readonly name: string;
  /** Together with the name it says which key has signed. 32 bits. */
  readonly id: number;
  readonly type: SignatureType;
  readonly publicKey: Uint8Array;
};

export type SignerKey = VerifierKey & { readonly seed: Uint8Array };

/** No space of Unicode, no plus, nothing that cannot be in a note. */
export function isKeyName(name: string): boolean {
  if (name === '' || /[\p{White_Space}+\p{Surrogate}]/u.test(name)) return false;
  return [...name].every((character) => character >= ' ');
}

function keyId(name: string, type: SignatureType, publicKey: Uint8Array): number {
  const hash = sha256(utf8(`${name}\n`), Uint8Array.of(SIGNATURE_TYPES[type]), publicKey);
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0);
}

/** The parts of a key's text. Throws what `invalid` makes of a reason: never a part of the text. */
function parseKey(text: string, invalid: (reason: string) => LegonetError) {
  const [, name = '', id = '', base64 = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  if (!isKeyName(name)) throw invalid('expected a name, an id of 8 hexadecimal digits and a key');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(base64);
  } catch {
    throw invalid('the key is not strict base64');
  }
  const type = (Object.keys(SIGNATURE_TYPES) as SignatureType[]).find(
    (type) => SIGNATURE_TYPES[type] === bytes[0],
  );
  if (type === undefined) throw invalid('the key is of a type that is not known here');
  if (bytes.length !== 1 + KEY_BYTES) throw invalid(`a key has ${KEY_BYTES} bytes`);
  return { name, id: Number.parseInt(id, 16), type, key: bytes.slice(1) };
}

const formatKey = ({ name, id, type }: VerifierKey, key: Uint8Array): string => {
  const bytes = concat(Uint8Array.of(SIGNATURE_TYPES[type]), key);
  return `${name}+${id.toString(16).padStart(8, '0')}+${toBase64(bytes)}`;
};

/** Throws `invalid_verifier_key`. */
export function parseVerifierKey(text: string): VerifierKey {
  const invalid = (reason: string) => new LegonetError('invalid_verifier_key', reason);
  const { name, id, type, key: publicKey } = parseKey(text, invalid);
  if (id !== keyId(name, type, publicKey)) throw invalid('the id is not that of name and key');
  return { name, id, type, publicKey };
}

export const formatVerifierKey = (key: VerifierKey): string => formatKey(key, key.publicKey);

const SIGNER = 'PRIVATE+KEY+';

/** Throws `invalid_signing_key`, with a message that has nothing of the key in it. */
export function parseSignerKey(text: string): SignerKey {
  const invalid = (reason: string) => new LegonetError('invalid_signing_key', reason);
  if (!text.startsWith(SIGNER)) throw invalid(`expected ${SIGNER} and a key`);
  const { name, id, type, key: seed } = parseKey(text.slice(SIGNER.length), invalid);
  const publicKey = publicKeyOf(seed);
  if (id !== keyId(name, type, publicKey)) throw invalid('the id is not that of name and key');
  return { name, id, type, publicKey, seed };
}

export const formatSignerKey = (key: SignerKey): string => SIGNER + formatKey(key, key.seed);

/** The public part of a signer's key. */
export const verifierOf = ({ name, id, type, publicKey }: SignerKey): VerifierKey => ({
  name,
  id,
  type,
  publicKey,
});

/** The key of 32 bytes that nobody else knows, drawn by the caller. Throws `invalid_signing_key`. */
export function generateKey(
  name: string,
  seed: Uint8Array,
  type: SignatureType = 'ed25519',
): SignerKey {
  if (!isKeyName(name)) {
    throw new LegonetError('invalid_signing_key', 'a name is not empty, and has no space or plus');
  }
  if (seed.length !== KEY_BYTES) {
    throw new LegonetError('invalid_signing_key', `a seed has ${KEY_BYTES} bytes`);
  }
  const publicKey = publicKeyOf(seed);
  return { name, id: keyId(name, type, publicKey), type, publicKey, seed: seed.slice() };
}

/** The id as the first 4 bytes of a signature line have it. */
export const keyIdBytes = ({ id }: { readonly id: number }): Uint8Array => uint32(id);
