import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { LegonetError } from '../errors.js';
import { parseConfiguration } from '../model/configuration.js';
import { type Database, transaction } from '../store/database.js';
import {
  type AuditedVersion,
  auditedVersion,
  listingOf,
  samplesOf,
  storedModel,
} from '../store/listing.js';
import { DATA_FILES, dataLine } from './audit-data.js';

/** What was written: of which version, and how many samples. */
export type Exported = Pick<AuditedVersion, 'version' | 'retained'>;

/** Writes the listing of the newest version. Throws what `auditedVersion` does. */
export const exportListing = (
  database: Database,
  path: string,
  signal: AbortSignal,
): Promise<Exported> =>
  inSnapshot(database, signal, (client, version) =>
    writeStream(path, listingOf(client, version), signal),
  );

/** Writes the listing, and what it is of: the samples with what opens their commitments, and the model. */
export const exportData = (
  database: Database,
  directory: string,
  signal: AbortSignal,
): Promise<Exported> =>
  inSnapshot(database, signal, async (client, version) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { configuration, keys, projection, backend } = await storedModel(client);
    const at = (name: string) => join(directory, name);
    await writeFile(at(DATA_FILES.configuration), `${JSON.stringify(configuration, null, 2)}\n`);
    if (keys) await writeFile(at(DATA_FILES.keys), keys);
    if (projection) await writeFile(at(DATA_FILES.projection), projection);
    if (backend) await writeFile(at(DATA_FILES.backend), `${JSON.stringify(backend, null, 2)}\n`);
    const { classes } = parseConfiguration(configuration);
    await writeStream(at(DATA_FILES.samples), lines(client, version, classes), signal);
    await writeStream(at(DATA_FILES.listing), listingOf(client, version), signal);
  });

async function* lines(
  client: ClientBase,
  version: AuditedVersion,
  classes: readonly string[],
): AsyncGenerator<string> {
  for await (const samples of samplesOf(client, version)) {
    const opened = samples.map(({ label, ...sample }) => ({
      ...sample,
      label: classes[label] ?? '',
    }));
    yield opened.map(dataLine).join('');
  }
}

const ATTEMPTS = 60;
const BETWEEN_MS = 500;

/** Of one snapshot. While a version is on its way, it is waited for. */
async function inSnapshot(
  { pool }: Database,
  signal: AbortSignal,
  write: (client: ClientBase, version: AuditedVersion) => Promise<void>,
): Promise<Exported> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction(
        pool,
        async (client) => {
          const version = await auditedVersion(client);
          await write(client, version);
          return { version: version.version, retained: version.retained };
        },
        'ISOLATION LEVEL REPEATABLE READ READ ONLY',
      );
    } catch (error) {
      const waits = error instanceof LegonetError && error.code === 'listing_not_ready';
      if (!waits || attempt === ATTEMPTS) throw error;
      await sleep(BETWEEN_MS, undefined, { signal });
    }
  }
}

/** Only its owner may read it; it is there as a whole or not at all. */
async function writeStream(
  path: string,
  content: AsyncIterable<Uint8Array | string>,
  signal: AbortSignal,
): Promise<void> {
  const beside = `${path}.${process.pid}`;
  try {
    const out = createWriteStream(beside, { mode: 0o600 });
    await pipeline(Readable.from(content, { objectMode: true, highWaterMark: 4 }), out, { signal });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
