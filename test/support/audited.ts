import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { type CloudEvent, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { keepSigner } from '#src/publish/keep-signer.js';
import { catchUp } from '#src/service/catch-up.js';
import { ROLES, type Role, runRole } from '#src/service/roles.js';
import type { Service } from '#src/service/service.js';
import { readSettings, type Settings } from '#src/settings.js';
import { certificateOf } from '#src/store/certificates.js';
import { readSigningRecord } from '#src/store/tlog-keys.js';
import { createTestDatabase } from './database.js';
import { toNewRecord } from './history.js';
import { tinyModel } from './models.js';
import { openTestService } from './service.js';

const never = new AbortController().signal;

export type Audited = {
  readonly url: string;
  readonly folder: string;
  readonly settings: Settings;
  readonly service: Service;
  /** Appends the events and does all that is to be done. */
  happen(...events: readonly CloudEvent[]): Promise<void>;
  certificate(requestId: string): Promise<string>;
  /** The key in force. */
  vkey(): Promise<string>;
  /** Runs all roles until `stop`, which gives what has failed. */
  start(): { stop(): Promise<{ role: Role; error: unknown }[]> };
  close(): Promise<void>;
};

export type AuditedOptions = {
  /** The database; by default one of its own. */
  readonly url?: string;
  /** The data directory; by default one of its own. */
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
};

/** A service whose key and last checkpoint are in a data directory, as they are outside of tests. */
export async function openAudited(options: AuditedOptions = {}): Promise<Audited> {
  const created = options.url === undefined ? await createTestDatabase() : undefined;
  const url = options.url ?? created?.url ?? '';
  const own = options.folder === undefined;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'legonet-test-audit-')));
  const settings = readSettings({
    DATABASE_URL: url,
    LEGONET_DATA_DIR: folder,
    LEGONET_BUILD_DELAY_MS: '0',
    ...options.environment,
  });
  const base = await openTestService(tinyModel(), { url });
  const service = { ...base, settings, signer: keepSigner(settings, base.database) };
  const append = (events: readonly CloudEvent[]) =>
    service.log.append(settings.topics.sampleEvents, events.map(toNewRecord));
  return {
    url,
    folder,
    settings,
    service,
    happen: async (...events) => {
      await append(events);
      await catchUp(service, never);
    },
    certificate: (requestId) => certificateOf(service.database, { requestId }),
    vkey: async () => (await readSigningRecord(service.database.pool))?.vkey ?? '',
    start: () => start(service),
    close: async () => {
      await base.close();
      await created?.drop();
      if (own) await rm(folder, { recursive: true });
    },
  };
}

function start(service: Service) {
  const ended = new AbortController();
  const failures: { role: Role; error: unknown }[] = [];
  const running = ROLES.map((role) =>
    runRole(service, role, ended.signal, (failed, error) => failures.push({ role: failed, error })),
  );
  return {
    stop: async () => {
      ended.abort();
      await Promise.all(running);
      return failures;
    },
  };
}

export const holds = (text: string, vkey: string): boolean => verifyCertificate(text, { vkey }).ok;

let next = 0;
const meta = () => ({ id: `a${next++}`, source: 'urn:test', time: '2026-01-01T00:00:00Z' });

const encoding = (n: number) => [(n * 37) % 101, (n * 53) % 89, (n * 71) % 97, (n * 29) % 83];

export const ingested = (n: number): CloudEvent =>
  sampleIngested({ sampleId: `s${n}`, label: 'a', encoding: encoding(n) }, meta());

export const several = (count: number, from = 0): CloudEvent[] =>
  Array.from({ length: count }, (_, i) => ingested(from + i));

export const deleted = (n: number, requestId: string): CloudEvent =>
  sampleDeleted({ sampleId: `s${n}`, requestId }, meta());
