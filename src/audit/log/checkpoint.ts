import { LegonetError } from '../../errors.js';
import { fromBase64, toBase64 } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';
import type { SignerKey, VerifierKey } from './keys.js';
import { type OpenedNote, openNote, signNote } from './note.js';
import type { SignWith, Verified } from './signatures.js';

/*
 * Checkpoints (c2sp.org/tlog-checkpoint): the size and the root of a log at some time, as the text of a note.
 */

export type Checkpoint = {
  /** Which log it is. */
  readonly origin: string;
  /** Leaves; below 2^53 here. */
  readonly size: number;
  readonly root: Uint8Array;
  /** Further lines, which are signed and mean nothing to a log's verifier. */
  readonly extensions: readonly string[];
};

const invalid = (reason: string): LegonetError => new LegonetError('invalid_checkpoint', reason);

/** The text of a note, the last newline included. Throws `invalid_checkpoint`. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  const lines = [origin, String(size), toBase64(root), ...extensions];
  const text = `${lines.join('\n')}\n`;
  // What could not be read back is not written.
  if (parseCheckpoint(text).extensions.length !== extensions.length) {
    throw invalid('a line has a newline');
  }
  return text;
}

/** Reads what `formatCheckpoint` gives and nothing else. Throws `invalid_checkpoint`. */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) throw invalid('a checkpoint ends with a newline');
  const lines = text.slice(0, -1).split('\n');
  const [origin = '', digits = '', base64 = '', ...extensions] = lines;
  if (lines.length < 3 || lines.includes('')) throw invalid('a line is missing or empty');
  const size = Number(digits);
  if (!/^(?:0|[1-9][0-9]*)$/.test(digits) || !Number.isSafeInteger(size)) {
    throw invalid('the size is not a decimal number below 2^53');
  }
  let root: Uint8Array;
  try {
    root = fromBase64(base64);
  } catch {
    throw invalid('the root is not strict base64');
  }
  if (root.length !== HASH_BYTES) throw invalid(`the root does not have ${HASH_BYTES} bytes`);
  return { origin, size, root, extensions };
}

/** A signed note. Throws `invalid_checkpoint`, `invalid_note` or `invalid_signing_key`. */
export const signCheckpoint = (
  checkpoint: Checkpoint,
  keys: readonly SignerKey[],
  sign?: SignWith,
): string => signNote(formatCheckpoint(checkpoint), keys, sign);

export type Trust = {
  /** The log's keys: one of them must have signed. */
  readonly keys: readonly VerifierKey[];
  /** The log that the checkpoint must be of. By default it has the name of the first key. */
  readonly origin?: string;
  readonly witnesses?: readonly VerifierKey[];
};

export type OpenedCheckpoint = Checkpoint & {
  readonly note: OpenedNote;
  /** By which of the log's keys, one at least. */
  readonly signedBy: readonly Verified[];
  /** By which witnesses, each once. */
  readonly cosignedBy: readonly Verified[];
};

/**
 * A checkpoint that the log has signed. Throws `unknown_signer` if none of the log's keys has signed, else
 * `invalid_checkpoint`: it is malformed, of another log, or a signature by a known key is wrong.
 */
export function openCheckpoint(note: string | Uint8Array, trust: Trust): OpenedCheckpoint {
  const { keys, witnesses = [], origin = keys[0]?.name } = trust;
  const opened = openAs(note, [...keys, ...witnesses]);
  const signedBy = opened.verified.filter(({ key }) => keys.includes(key));
  const cosignedBy = opened.verified.filter(({ key }) => witnesses.includes(key));
  // A witness alone does not speak for the log.
  if (signedBy.length === 0) throw new LegonetError('unknown_signer', 'the log has not signed');
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint.origin !== origin) throw invalid('the checkpoint is of another log');
  return { ...checkpoint, note: opened, signedBy, cosignedBy };
}

function openAs(note: string | Uint8Array, keys: readonly VerifierKey[]): OpenedNote {
  try {
    return openNote(note, keys);
  } catch (error) {
    if (!(error instanceof LegonetError) || error.code === 'unknown_signer') throw error;
    throw new LegonetError('invalid_checkpoint', error.message, 'terminal', { cause: error });
  }
}
