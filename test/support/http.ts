import { createHash } from 'node:crypto';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import type { NewRecord } from '#src/log/event-log.js';
import type { Model } from '#src/model/model.js';
import type { ServeOptions } from '#src/serve/deps.js';
import type { Route } from '#src/serve/route.js';
import { type HttpService, startServer } from '#src/serve/server.js';
import { SCOPES, type Scope, Tokens } from '#src/serve/tokens.js';
import { catchUp } from '#src/service/catch-up.js';
import { toNewRecord } from './history.js';
import { syntheticRows } from './models.js';
import { openTestService, type TestService } from './service.js';

const NEVER = new AbortController().signal;

/** A token for each scope, named after it, and one for all. */
export const token = (scope: Scope | 'all'): string => `token-${scope}`;
const sha256 = (text: string) => createHash('sha256').update(text).digest();
export const tokens = new Tokens([
  ...SCOPES.map((scope) => ({ sha256: sha256(token(scope)), scopes: [scope] })),
  { sha256: sha256(token('all')), scopes: SCOPES },
]);

export type TestHttp = {
  readonly service: TestService;
  readonly server: HttpService;
  /** Asks with the token of a scope; null: with none. */
  ask(path: string, scope?: Scope | 'all' | null, init?: RequestInit): Promise<Response>;
  json(path: string): Promise<never>;
  append(records: readonly NewRecord[]): Promise<void>;
  /** Everything that the log holds is projected, built and published. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
};

/** A server on a database of the test's own. */
export async function openTestHttp(
  model: Model,
  options: Partial<ServeOptions> = {},
  routes?: readonly Route[],
): Promise<TestHttp> {
  const service = await openTestService(model);
  const { database, log, logger, kernel, encoder, engine, settings } = service;
  const server = await startServer(
    {
      database,
      log,
      logger,
      model,
      kernel,
      encoder,
      engine,
      ratePerMinute: settings.http.ratePerMinute,
      topics: settings.topics,
      erasureDeadlineMs: settings.erasureDeadlineMs,
      access: { tokens, openMetrics: true, localToken: null },
      readiness: async () => ({ ready: true, reasons: [], warnings: [] }),
      metrics: { contentType: 'text/plain', read: async () => '' },
      ...options,
    },
    { host: '127.0.0.1', port: 0 },
    routes,
  );
  const ask: TestHttp['ask'] = (path, scope = 'all', init = {}) =>
    fetch(new URL(path, server.url), {
      ...init,
      headers: { ...(scope && { authorization: `Bearer ${token(scope)}` }), ...init.headers },
    });
  return {
    service,
    server,
    ask,
    json: async (path) => {
      const answer = await ask(path);
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as never;
    },
    append: async (records) => {
      await log.append(settings.topics.sampleEvents, records);
    },
    catchUp: () => catchUp(service, NEVER),
    close: async () => {
      await server.close();
      await service.close();
    },
  };
}

/** `count` ingests named after `prefix`, the same every time. */
export function ingests(model: Model, prefix: string, count: number): NewRecord[] {
  const { dimension, classes } = model.shape;
  const rows = syntheticRows(prefix, count, dimension, classes);
  return Array.from({ length: count }, (_, i) => {
    const data = {
      sampleId: `${prefix}${i}`,
      label: model.configuration.classes[rows.labels[i] ?? 0] ?? '',
      encoding: int8Data(rows.encodings.slice(i * dimension, (i + 1) * dimension)),
    };
    return toNewRecord(sampleIngested(data, { id: `i-${prefix}${i}`, source: 'urn:test' }));
  });
}

export const deletion = (sampleId: string, requestId = `r-${sampleId}`): NewRecord =>
  toNewRecord(sampleDeleted({ sampleId, requestId }, { id: requestId, source: 'urn:test' }));
