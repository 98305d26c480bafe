import { LegonetError } from '../../errors.js';
import { toBase64 } from '../bytes.js';
import { canonicalText } from '../json.js';
import { parseVerifierKey } from '../log/keys.js';
import { formatNote, parseNote } from '../log/note.js';
import { CERTIFICATE_TYPE, type Certificate, NOT_SHOWN } from './schema.js';
import { leaveOutShared } from './shared.js';
import { verifyCertificate } from './verify.js';

/** All that a certificate says, from the log and the store. No signing key is needed. */
export type Evidence = Omit<Certificate, 'type' | 'notShown' | 'after'> & {
  /** With the whole proof of absence: what it shares with that of presence is found. */
  readonly after: Omit<Certificate['after'], 'shared'>;
};

/** Indexes of the entries for which `log.proof` is the multiproof, in order. */
export function entriesOf(evidence: Omit<Evidence, 'log'> & Rotations): number[] {
  const { after, applied, erased, ingested, request, log } = evidence;
  const indexes = [
    ...[request, after, ingested, applied, erased, ...log.rotations].map((entry) => entry?.index),
    after.intentIndex,
    applied?.intentIndex,
  ];
  return indexes.filter((index) => index !== undefined).sort((a, b) => a - b);
}

type Rotations = { readonly log: Pick<Evidence['log'], 'rotations'> };

/**
 * The certificate's file, canonical JSON with a newline. Throws `certificate_unsound` if it does not
 * verify under the log's key: nothing that does not hold leaves the server.
 */
export function composeCertificate(evidence: Evidence, vkey: string): string {
  const text = assembleCertificate(evidence, vkey);
  const { ok, checks } = verifyCertificate(text, { vkey });
  if (ok) return text;
  const failed = checks.filter(({ outcome }) => outcome === 'failed');
  const reasons = failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new LegonetError('certificate_unsound', `the certificate does not hold: ${reasons}`);
}

/** The file, whether it holds or not. */
export function assembleCertificate(evidence: Evidence, vkey: string): string {
  const checkpoint = bareCheckpoint(evidence.log.checkpoint, vkey);
  const log = { ...evidence.log, checkpoint };
  const { before } = evidence;
  const { absence } = evidence.after;
  const { proof, shared } = before
    ? leaveOutShared(absence, before.presence)
    : { proof: absence, shared: [] };
  const after = { ...evidence.after, absence: proof, shared };
  return fileText({ ...evidence, after, log, type: CERTIFICATE_TYPE, notShown: NOT_SHOWN });
}

/** The note with the signature of that key alone. */
export function bareCheckpoint(note: string, vkey: string): string {
  const { name, id } = parseVerifierKey(vkey);
  const { text, signatures } = parseNote(note);
  return formatNote({
    text,
    signatures: signatures.filter((line) => line.name === name && line.id === id).slice(0, 1),
  });
}

/** Canonical JSON with a newline; bytes in base64. */
export const fileText = (fields: object): string => `${canonicalText(withBase64(fields))}\n`;

function withBase64(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64(value);
  if (Array.isArray(value)) return value.map(withBase64);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBase64(item)]));
}
