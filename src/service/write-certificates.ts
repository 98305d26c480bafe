import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LegonetError } from '../errors.js';
import { certificateOf } from '../store/certificates.js';
import type { Database } from '../store/database.js';
import { readDeletedSamples } from '../store/evidence.js';
import { replaceFile } from '../store/kept-file.js';

export type WrittenCertificates = {
  readonly files: readonly string[];
  /** Samples that the request has deleted and of which no certificate was written. */
  readonly left: number;
};

/** Certificates of one request: more are made one by one, when they are asked for. */
const MOST = 100;
const RETRY_MS = 100;
/** A version that is built meanwhile is signed in this time, or something is wrong. */
const PATIENCE_MS = 60_000;

/**
 * Writes the certificate of each sample that the request has deleted into the directory. Waits while the
 * newest version is not signed yet; throws `certificate_not_ready` if that takes too long.
 */
export async function writeCertificates(
  database: Database,
  directory: string,
  requestId: string,
  signal: AbortSignal,
): Promise<WrittenCertificates> {
  const { samples, total } = await readDeletedSamples(database.pool, requestId, MOST);
  const files: string[] = [];
  const until = performance.now() + PATIENCE_MS;
  for (const sampleId of samples) {
    const text = await certificateInTime(database, { requestId, sampleId }, until, signal);
    if (text === null) continue;
    const file = join(directory, fileName(requestId, sampleId));
    await replaceFile(file, text);
    files.push(file);
  }
  return { files, left: total - files.length };
}

/** Null if there is nothing to certify, as of a request that only the event log's note is left of. */
async function certificateInTime(
  database: Database,
  query: { readonly requestId: string; readonly sampleId: string },
  until: number,
  signal: AbortSignal,
): Promise<string | null> {
  for (;;) {
    try {
      return await certificateOf(database, query);
    } catch (error) {
      if (!(error instanceof LegonetError)) throw error;
      if (error.code === 'nothing_deleted') return null;
      if (error.code !== 'certificate_not_ready' || performance.now() > until) throw error;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}

/** Ids may hold anything: what a file name cannot is left out, and a digest tells them apart. */
export function fileName(requestId: string, sampleId: string): string {
  const readable = requestId.replaceAll(/[^A-Za-z0-9_-]+/g, '-').slice(0, 60);
  const digest = createHash('sha256')
    .update(JSON.stringify([requestId, sampleId]))
    .digest('hex');
  return `${readable}-${digest.slice(0, 16)}.json`;
}
