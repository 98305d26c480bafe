import { expect } from 'vitest';
import { concat } from '#src/audit/bytes.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import type { LogSource } from '#src/audit/replay/log.js';
import { type Claim, type Replay, verifyReplay } from '#src/audit/replay/verify.js';
import { certificateOf } from '#src/store/certificates.js';
import { type Database, transaction } from '#src/store/database.js';
import { readNewestVersion } from '#src/store/evidence.js';
import { auditedVersion, listingOf } from '#src/store/listing.js';
import { indexOf, readBundle, readHead } from '#src/store/tlog.js';
import { pieces } from './replayed.js';

/** The log as the database has it. */
export const storedLog = ({ pool }: Database): LogSource => ({
  checkpoint: async () => (await readHead(pool)).checkpoint ?? '',
  bundle: async (index) => (await readBundle(pool, index)) ?? new Uint8Array(),
});

/** The newest version, and its listing; null before there is one. */
export async function newestClaim({
  pool,
}: Database): Promise<{ claim: Claim; listing: Uint8Array } | null> {
  const newest = await readNewestVersion(pool);
  if (!newest) return null;
  const { checkpoint } = await readHead(pool);
  const claim: Claim = {
    origin: checkpoint?.split('\n')[0] ?? '',
    checkpoint: checkpoint ?? '',
    version: newest.version,
    index: (await indexOf(pool, newest.leaf_batch, 0)) ?? -1,
    intentIndex: (await indexOf(pool, newest.intent_batch, 0)) ?? -1,
  };
  const listing = await transaction(
    pool,
    async (client) => {
      const parts: Uint8Array[] = [];
      for await (const part of listingOf(client, await auditedVersion(client))) parts.push(part);
      return concat(...parts);
    },
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  return { claim, listing };
}

/** Level 2 of the newest version: every set root and the whole history follow from log and listing. */
export async function expectReplayed(database: Database, vkey: string): Promise<Replay | null> {
  const newest = await newestClaim(database);
  if (!newest) return null;
  const { claim, listing } = newest;
  const replayed = await verifyReplay({
    claim,
    vkey,
    log: storedLog(database),
    listing: pieces(listing, 4096),
  });
  expect(replayed.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect(replayed.ok).toBe(true);
  return replayed;
}

/** Each certificate of a deleted sample holds. Returns the samples that have one. */
export async function expectCertified(database: Database, vkey: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ sample_id: string; request_id: string }>(
    `SELECT sample_id, request_id FROM evidence e
     WHERE EXISTS (SELECT FROM deletions d
                   WHERE d.request_id = e.request_id AND d.commitment = e.request)`,
  );
  for (const { sample_id: sampleId, request_id: requestId } of rows) {
    const text = await certificateOf(database, { requestId, sampleId });
    expect(verifyCertificate(text, { vkey })).toMatchObject({ ok: true, level: 1 });
  }
  return rows.map((row) => row.sample_id);
}
