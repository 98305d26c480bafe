import type { Opening } from '../commitment.js';
import { type Check, type Checklist, checklist } from './checklist.js';
import { checkRotations, keysOf, openBare, readUnsigned } from './keys.js';
import { checkProofs } from './proofs.js';
import { type Certificate, parseCertificate } from './schema.js';

/** In the order in which they are made. */
export const CHECKS = [
  'format',
  'key',
  'checkpoint',
  'presence-before',
  'absence-retained',
  'absence-adapters',
  'adapters',
  'statement',
  'log',
  'order',
  'lineage',
  'rebuilt',
  'superseded',
  'erasure',
  'opening',
] as const;

export type CheckName = (typeof CHECKS)[number];

/** What the sample was, and its adapters when it was ingested, nearest first. */
export type ReceiptOpening = Opening & { readonly adapters?: readonly number[] };

export type VerifyOptions = {
  /** The log's verifier key, from somewhere else than the certificate. */
  readonly vkey: string;
  /** How far to go: 0, the log's signature; 1 (the default), all that can be checked offline. */
  readonly level?: 0 | 1;
  /** From the sample's receipt: then it is checked too that the certificate is of that sample. */
  readonly opening?: ReceiptOpening;
};

export type Verification = {
  /** Nothing failed, and the level asked for was reached. */
  readonly ok: boolean;
  /** Reached; null: none. docs/assurance.md says what each means. */
  readonly level: 0 | 1 | null;
  readonly checks: readonly Check[];
};

/** What the proofs are held against. */
export type Signed = {
  readonly certificate: Certificate;
  /** Of the log, at the signed checkpoint. */
  readonly size: number;
  readonly root: Uint8Array;
  /** All keys of the log that are known. */
  readonly publicKeys: readonly Uint8Array[];
};

/** Checks a certificate, offline. Never throws, whatever the text is. */
export const verifyCertificate = (text: string, options: VerifyOptions): Verification =>
  verifyWithout(text, options, new Set());

/** For tests: with checks left out, to see the lie pass that each is there for. */
export function verifyWithout(
  text: string,
  { vkey, level = 1, opening }: VerifyOptions,
  without: ReadonlySet<CheckName>,
): Verification {
  const list = checklist(without);
  const signed = checkSignature(list, text, vkey);
  if (signed && level > 0) checkProofs(list, signed, opening);
  const ok = !list.failed();
  const reached = signed ? (ok ? level : 0) : null;
  const checks = list.inOrder(CHECKS, signed && level === 0 ? 'not asked for' : NOT_REACHED);
  return { ok, level: reached, checks };
}

const NOT_REACHED = 'it needs what failed above';

function checkSignature(
  list: Checklist<CheckName>,
  text: string,
  vkey: string,
): Signed | undefined {
  const certificate = list.value(
    'format',
    () => parseCertificate(text),
    () => 'it is a deletion certificate in its one form, and says what it does not show',
  );
  if (!certificate) return undefined;
  const { origin, log } = certificate;
  const keys = list.value(
    'key',
    () => keysOf(vkey, log.rotations),
    () => {
      checkRotations(origin, vkey, log.rotations);
      return log.rotations.length === 0
        ? 'the key that you trust is to have signed'
        : `the key that you trust is linked to the one in force: ${log.rotations.length} rotations`;
    },
  );
  const last = keys?.at(-1);
  if (!keys || !last) return undefined;
  const checkpoint = list.value(
    'checkpoint',
    () => readUnsigned(log.checkpoint),
    ({ size }) => {
      openBare(log.checkpoint, origin, last);
      return `the log ${origin} has signed its state at ${size} entries`;
    },
  );
  if (!checkpoint) return undefined;
  const { size, root } = checkpoint;
  return { certificate, size, root, publicKeys: keys.map(({ publicKey }) => publicKey) };
}
