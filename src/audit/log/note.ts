import { LegonetError } from '../../errors.js';
import { concat, fromBase64, toBase64 } from '../bytes.js';
import { isKeyName, keyIdBytes, type SignerKey, type VerifierKey } from './keys.js';
import {
  type Signature,
  type SignWith,
  signText,
  type Verified,
  verifyText,
} from './signatures.js';

/*
 * Signed notes (c2sp.org/signed-note): a text, an empty line, and a line for each signature.
 */

export type Note = {
  /** With its last newline. */
  readonly text: string;
  readonly signatures: readonly Signature[];
};

/** Limits of Go's golang.org/x/mod/sumdb/note too. The first counts UTF-16 units. */
const NOTE_MAX = 1_000_000;
const SIGNATURES_MAX = 100;

const invalid = (reason: string): LegonetError => new LegonetError('invalid_note', reason);

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid('a note is UTF-8');
  }
}

/** Throws `invalid_note` for what cannot be in a note. */
function checkText(text: string): void {
  if (text.length > NOTE_MAX) throw invalid(`a note has at most ${NOTE_MAX} characters`);
  if (/\p{Surrogate}/u.test(text)) throw invalid('a note is UTF-8');
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) throw invalid('a note has no control characters');
  }
}

function parseSignature(line: string): Signature {
  const [, name = '', base64 = ''] = /^— ([^ ]+) ([^ ]+)$/.exec(line) ?? [];
  if (!isKeyName(name)) throw invalid('a line after the text is no signature');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(base64);
  } catch {
    throw invalid('a signature is not strict base64');
  }
  if (bytes.length <= 4) throw invalid('a signature is too short');
  return { name, id: new DataView(bytes.buffer).getUint32(0), bytes: bytes.slice(4) };
}

/** Reads a note. Nothing is verified: see `openNote`. Throws `invalid_note`. */
export function parseNote(note: string | Uint8Array): Note {
  const whole = typeof note === 'string' ? note : decode(note);
  checkText(whole);
  const split = whole.lastIndexOf('\n\n');
  if (split < 0) throw invalid('no signatures');
  if (!whole.endsWith('\n')) throw invalid('a note ends with a newline');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) throw invalid(`more than ${SIGNATURES_MAX} signatures`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

/** What `parseNote` reads. Throws `invalid_note` for a text that cannot be that of a note. */
export function formatNote({ text, signatures }: Note): string {
  if (!text.endsWith('\n')) throw invalid('the text of a note ends with a newline');
  const lines = signatures.map(
    ({ name, id, bytes }) => `— ${name} ${toBase64(concat(keyIdBytes({ id }), bytes))}\n`,
  );
  const whole = `${text}\n${lines.join('')}`;
  checkText(whole);
  return whole;
}

/** The text, signed by each of the keys. Throws `invalid_note` or `invalid_signing_key`. */
export const signNote = (text: string, keys: readonly SignerKey[], sign?: SignWith): string =>
  formatNote({ text, signatures: keys.map((key) => signText(text, key, sign)) });

/** A note with one more signature, after those that it has. Throws `invalid_note`. */
export function addSignature(note: string, signature: Signature): string {
  const { text, signatures } = parseNote(note);
  return formatNote({ text, signatures: [...signatures, signature] });
}

export type OpenedNote = Note & {
  /** In the order of the note; one for each key, however often it has signed. */
  readonly verified: readonly Verified[];
};

/**
 * A note whose text at least one of the keys has signed. Signatures by others are kept, and mean nothing. Throws
 * `invalid_note`, `invalid_signature` if one of a known key does not hold, and `unknown_signer` if there is none.
 */
export function openNote(note: string | Uint8Array, keys: readonly VerifierKey[]): OpenedNote {
  const { text, signatures } = parseNote(note);
  const verified = new Map<VerifierKey, Verified>();
  for (const signature of signatures) {
    const known = keys.filter(({ name, id }) => name === signature.name && id === signature.id);
    if (known.length === 0) continue;
    const holds = known.map((key) => verifyText(text, key, signature)).find((v) => v !== null);
    if (holds === undefined) {
      throw new LegonetError('invalid_signature', `the signature of ${signature.name} is wrong`);
    }
    if (!verified.has(holds.key)) verified.set(holds.key, holds);
  }
  if (verified.size === 0) {
    throw new LegonetError('unknown_signer', 'no key that is trusted has signed');
  }
  return { text, signatures, verified: [...verified.values()] };
}
