import { LegonetError } from '../../errors.js';
import { rotationMessage } from '../leaves.js';
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../log/checkpoint.js';
import { verifyEd25519 } from '../log/ed25519.js';
import { parseVerifierKey, type VerifierKey } from '../log/keys.js';
import { parseNote } from '../log/note.js';
import { must } from './checklist.js';

export type Rotation = {
  readonly from: string;
  readonly to: string;
  /** By `from`, over `rotationMessage`. */
  readonly signature: Uint8Array;
};

/** The log's keys, from the first that is named to the one in force. Throws `invalid_verifier_key`. */
export const keysOf = (trusted: string, rotations: readonly Rotation[]): VerifierKey[] =>
  [rotations[0]?.from ?? trusted, ...rotations.map(({ to }) => to)].map(parseVerifierKey);

/** Throws why the trusted key and the one in force are not both of this log. */
export function checkRotations(
  origin: string,
  trusted: string,
  rotations: readonly Rotation[],
): void {
  for (const { name, type } of keysOf(trusted, rotations)) {
    must(name === origin, `the key is named ${name}, and the log ${origin}`);
    must(type === 'ed25519', 'the key is not one that signs for a log');
  }
  rotations.forEach(({ from, to, signature }, i) => {
    must(i === 0 || from === rotations[i - 1]?.to, 'a rotation begins with another key');
    const { publicKey } = parseVerifierKey(from);
    const signed = verifyEd25519(signature, rotationMessage(origin, to), publicKey);
    must(signed, `the key ${from} has not signed that ${to} takes its place`);
  });
  const known =
    rotations.length === 0 || rotations.some(({ from, to }) => [from, to].includes(trusted));
  must(known, 'the key that you trust is not one of those that led to the key in force');
}

/**
 * A checkpoint with the signature of that key alone: nobody could tell whether one more line is genuine. Throws
 * as `openCheckpoint`, and `invalid_checkpoint`.
 */
export function openBare(note: string, origin: string, key: VerifierKey): Checkpoint {
  const opened = openCheckpoint(note, { keys: [key], origin });
  if (opened.note.signatures.length !== 1) {
    throw new LegonetError('invalid_checkpoint', 'the checkpoint has signatures of others');
  }
  return opened;
}

/** What a checkpoint says, whoever has signed it. */
export const readUnsigned = (note: string): Checkpoint => parseCheckpoint(parseNote(note).text);
