import * as z from 'zod';
import { LegonetError } from '../../errors.js';
import { concat, equalBytes } from '../bytes.js';
import {
  membershipCommitment,
  membershipSalt,
  type Opening,
  sampleCommitment,
} from '../commitment.js';
import { leafHash } from '../hash.js';
import { encodeLeaf } from '../leaves.js';
import { parseVerifierKey } from '../log/keys.js';
import { multiproofRoot } from '../log/merkle.js';
import { checklist, must } from './checklist.js';
import { bareCheckpoint, fileText } from './compose.js';
import { bytes, hash, hashes, natural, split, text, uint32 } from './fields.js';
import { openBare, readUnsigned } from './keys.js';
import { parseFile } from './schema.js';
import type { ReceiptOpening, Verification } from './verify.js';

/*
 * A receipt: what a producer keeps of a sample. It opens the sample's ingest entry, so that later the sample's
 * certificate can be told from another's. It holds the sample itself: keep it as the sample is kept.
 */

export const RECEIPT_TYPE = 'legonet.receipt.v1';

export const receipt = z
  .strictObject({
    adapters: z.array(uint32).min(1).max(10_000).describe('Ids, nearest first.'),
    checkpoint: z.string().max(4096).describe('A signed note with the log’s signature alone.'),
    index: natural.describe('Of the ingest entry in the log.'),
    opening: z
      .strictObject({
        encoding: bytes.describe('int8, as quantised.'),
        id: text,
        label: text,
        salt: hash,
      })
      .describe('What the commitment commits to.'),
    origin: text.describe('Of the log.'),
    proof: hashes.describe('That the entry is in the log of this checkpoint, left to right.'),
    type: z.literal(RECEIPT_TYPE),
  })
  .describe('Proof that a sample was ingested, for whoever gave it.');

export type Receipt = Readonly<z.output<typeof receipt>>;

/** Of the verification, in this order. */
export const RECEIPT_CHECKS = ['format', 'checkpoint', 'log'] as const;

export type ReceiptEvidence = Omit<Receipt, 'type' | 'opening' | 'proof'> & {
  readonly opening: Opening;
  /** The multiproof of the one entry: hashes from left to right. */
  readonly proof: readonly Uint8Array[];
};

/** Reads the file. Throws `invalid_certificate`. */
export const parseReceipt = (text: string): Receipt => parseFile(receipt, text, 'receipt');

/** What `verifyCertificate` takes. */
export const openingOf = ({ opening, adapters }: Receipt): ReceiptOpening => ({
  ...opening,
  adapters,
  encoding: new Int8Array(opening.encoding),
});

/** The file, canonical JSON with a newline. Throws `certificate_unsound` if it does not hold. */
export function composeReceipt(evidence: ReceiptEvidence, vkey: string): string {
  const { opening, proof, checkpoint, adapters, index, origin } = evidence;
  const { encoding, id, label, salt } = opening;
  const file = fileText({
    adapters,
    index,
    origin,
    type: RECEIPT_TYPE,
    checkpoint: bareCheckpoint(checkpoint, vkey),
    opening: { encoding: Uint8Array.from(encoding), id, label, salt },
    proof: concat(...proof),
  });
  const { ok, checks } = verifyReceipt(file, vkey);
  if (ok) return file;
  const failed = checks.find(({ outcome }) => outcome === 'failed');
  throw new LegonetError('certificate_unsound', `the receipt does not hold: ${failed?.detail}`);
}

/** Checks a receipt, offline, under the log's verifier key. Never throws, whatever the text is. */
export function verifyReceipt(text: string, vkey: string): Verification {
  const list = checklist<(typeof RECEIPT_CHECKS)[number]>(new Set());
  const read = list.value(
    'format',
    () => parseReceipt(text),
    () => 'it is a receipt in its one form',
  );
  const checkpoint =
    read &&
    list.value(
      'checkpoint',
      () => readUnsigned(read.checkpoint),
      ({ size }) => {
        openBare(read.checkpoint, read.origin, parseVerifierKey(vkey));
        return `the log ${read.origin} has signed its state at ${size} entries`;
      },
    );
  if (read && checkpoint) {
    list.check('log', () => {
      const leaves = [{ index: read.index, hash: ingestHash(read) }];
      const root = multiproofRoot({ size: checkpoint.size, leaves, proof: split(read.proof) });
      must(equalBytes(root, checkpoint.root), 'the log does not have this sample at this place');
      return `entry ${read.index} of the log commits to the sample ${read.opening.id}`;
    });
  }
  const ok = !list.failed();
  const checks = list.inOrder(RECEIPT_CHECKS, 'it needs what failed above');
  return { ok, level: ok ? 1 : checkpoint ? 0 : null, checks };
}

function ingestHash(receipt: Receipt): Uint8Array {
  const opening = openingOf(receipt);
  const membership = membershipCommitment(membershipSalt(opening.salt), receipt.adapters);
  return leafHash(
    encodeLeaf({ kind: 'ingest', commitment: sampleCommitment(opening), membership }),
  );
}
