import { createHmac } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { equalBytes } from '../audit/bytes.js';
import type { Check } from '../audit/certificate/checklist.js';
import {
  openingOf,
  parseReceipt,
  RECEIPT_TYPE,
  verifyReceipt,
} from '../audit/certificate/receipt.js';
import { NOT_SHOWN, parseCertificate } from '../audit/certificate/schema.js';
import { type Verification, verifyCertificate } from '../audit/certificate/verify.js';
import type { membershipCommitment } from '../audit/commitment.js';
import { claimOf, verifyReplay } from '../audit/replay/verify.js';
import type { Engine } from '../engine/engine.js';
import { LegonetError } from '../errors.js';
import { loadHashPairs } from '../kernel/hash-pairs.js';
import { fastHash } from '../store/tlog.js';
import { openLog } from './log-source.js';
import { verifyModel } from './verify-model.js';

export type Level = 0 | 1 | 2 | 3;

export type VerifyFileOptions = {
  /** The log's verifier key. */
  readonly vkey: string;
  readonly level: Level;
  /** Path of the sample's receipt. */
  readonly receipt?: string | undefined;
  /** Directory or URL of the log; needed from level 2 on, as is the listing. */
  readonly log?: string | undefined;
  readonly listing?: string | undefined;
  /** Listings of earlier versions. */
  readonly earlier?: readonly string[] | undefined;
  /** Directory of the samples and the model; needed at level 3. */
  readonly data?: string | undefined;
  /** For softmax adapters at level 3: the engine to train on, by default the one that the version names. */
  readonly engine?: Engine | undefined;
};

export type FileVerification = {
  readonly kind: 'certificate' | 'receipt';
  /** All that was asked for holds. */
  readonly ok: boolean;
  /** Reached; null: none. */
  readonly level: Level | null;
  readonly asked: Level;
  readonly checks: readonly LevelCheck[];
  readonly notShown: readonly string[];
};

export type LevelCheck = Check & { readonly level: Level };

/** Characters of a certificate or receipt that are read. */
const MAX_BYTES = 2_000_000;

/**
 * Checks a certificate or a receipt. Whatever is in the files fails a check, and is not thrown; a file that is not
 * there throws `input_not_found`.
 */
export async function verifyFile(
  path: string,
  options: VerifyFileOptions,
  signal: AbortSignal,
): Promise<FileVerification> {
  const text = await readText(path);
  if (text.includes(`"type":"${RECEIPT_TYPE}"`)) return receiptOf(text, options);
  const receipt = options.receipt === undefined ? null : await readText(options.receipt);
  const opened = receipt === null ? null : openReceipt(receipt, keysOfLog(text, options.vkey));
  const proofs = verifyCertificate(text, {
    vkey: options.vkey,
    level: options.level === 0 ? 0 : 1,
    ...(opened?.opening && { opening: opened.opening }),
  });
  const checks: LevelCheck[] = proofs.checks.map((check) => ({
    ...check,
    level: SIGNATURE_CHECKS.has(check.name) ? 0 : 1,
  }));
  if (opened) checks.push({ ...opened.check, level: 1 });
  let level: Level | null = proofs.level;
  if (opened?.check.outcome === 'failed' && level === 1) level = 0;
  const { checks: further, level: reached } =
    level === 1 && options.level > 1
      ? await verifyFurther(text, options, signal)
      : { checks: [], level };
  const notShown = notShownAt(reached);
  const all = [...checks, ...further];
  const ok = reached === options.level && all.every(({ outcome }) => outcome !== 'failed');
  return { kind: 'certificate', ok, level: reached, asked: options.level, checks: all, notShown };
}

const SIGNATURE_CHECKS = new Set(['format', 'key', 'checkpoint']);

/** What a certificate says that it does not show, but for what was shown all the same. */
const notShownAt = (level: Level | null): readonly string[] =>
  level === 3 ? NOT_SHOWN.filter((line) => !line.includes('weights')) : NOT_SHOWN;

function receiptOf(text: string, { vkey, level }: VerifyFileOptions): FileVerification {
  const { ok, level: reached, checks } = verifyReceipt(text, vkey);
  return {
    kind: 'receipt',
    ok: ok || (level === 0 && reached === 0),
    level: reached,
    asked: level,
    checks: checks.map((check) => ({ ...check, level: check.name === 'log' ? 1 : 0 })),
    notShown: [
      'that the sample is in a version of the model, or that it was ever deleted from one',
      'that the sample was ingested with consent, or by the one who holds the receipt',
    ],
  };
}

/** The key that is trusted, and those that the certificate shows to be the same log's. */
function keysOfLog(text: string, vkey: string): string[] {
  const { level } = verifyCertificate(text, { vkey, level: 0 });
  const rotations = level === null ? [] : parseCertificate(text).log.rotations;
  return [vkey, ...rotations.flatMap(({ from, to }) => [from, to])];
}

/** A receipt that one of the log's keys has signed, for the key may have been rotated since. */
function openReceipt(text: string, keys: readonly string[]) {
  const results = keys.map((vkey) => verifyReceipt(text, vkey));
  const { ok, checks } = results.find((result) => result.ok) ?? (results[0] as Verification);
  const failed = checks.find(({ outcome }) => outcome === 'failed');
  const check: Check = {
    name: 'receipt',
    outcome: ok ? 'ok' : 'failed',
    detail: failed?.detail ?? 'the receipt of the sample holds',
  };
  return { check, opening: ok ? openingOf(parseReceipt(text)) : undefined };
}

async function verifyFurther(
  text: string,
  { vkey, level, log, listing, earlier = [], data, engine }: VerifyFileOptions,
  signal: AbortSignal,
): Promise<{ readonly checks: LevelCheck[]; readonly level: Level }> {
  const replayed = await verifyReplay({
    vkey,
    claim: claimOf(parseCertificate(text)),
    log: openLog(log ?? '', signal),
    listing: streamOf(listing ?? ''),
    earlier: earlier.map(streamOf),
    hashes: {
      sha256: fastHash,
      pairs: await loadHashPairs(),
      key: fastHash,
      membership: fastMembership,
    },
  });
  const checks: LevelCheck[] = replayed.checks.map((check) => ({ ...check, level: 2 }));
  if (!replayed.ok || !replayed.found) return { checks, level: 1 };
  if (level < 3) return { checks, level: 2 };
  const rebuilt = await verifyModel(data ?? '', replayed.found, signal, { engine });
  checks.push(...rebuilt.map((check): LevelCheck => ({ ...check, level: 3 })));
  return { checks, level: rebuilt.every(({ outcome }) => outcome === 'ok') ? 3 : 2 };
}

/** Opened when it is read, so that one that is not there fails where it is needed. */
async function* streamOf(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: 1 << 20 });
}

const MEMBERSHIP = 'legonet.membership.v1\n';

/** `membershipCommitment` by OpenSSL. */
const fastMembership: typeof membershipCommitment = (salt, adapters) => {
  const message = Buffer.allocUnsafe(4 * adapters.length);
  adapters.forEach((adapter, i) => {
    message.writeUInt32BE(adapter, 4 * i);
  });
  return createHmac('sha256', salt).update(MEMBERSHIP).update(message).digest();
};

/** A file's text; what is no UTF-8, or too long, becomes one that no check lets pass. */
async function readText(path: string): Promise<string> {
  const file = await open(path).catch((cause) => {
    throw new LegonetError('input_not_found', `${path}: no such file, or unreadable`, 'terminal', {
      cause,
    });
  });
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    const bytes = buffer.subarray(0, length);
    const text = bytes.toString('utf8');
    return equalBytes(Buffer.from(text), bytes) ? text : '';
  } catch (cause) {
    throw new LegonetError('input_not_found', `${path}: unreadable`, 'terminal', { cause });
  } finally {
    await file.close();
  }
}
