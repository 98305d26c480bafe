import { setTimeout as sleep } from 'node:timers/promises';
import { LegonetError } from '../errors.js';
import { readLagsInTime } from '../log/lag.js';
import { openAccess } from '../serve/access.js';
import { removeLocalUrl, writeLocalUrl } from '../serve/local.js';
import { type HttpService, startServer } from '../serve/server.js';
import { type Database, openDatabase } from '../store/database.js';
import type { Role } from '../store/lock.js';
import { countDeadLetters } from '../store/measures.js';
import { readErasures, readStatus } from '../store/status.js';
import { Metrics, type Scrape } from './metrics.js';
import type { Observation } from './observe.js';
import { checkReadiness, shared } from './readiness.js';
import type { Service } from './service.js';
import { Watch } from './watch.js';

/** Of a pool apart from the roles': connections, how long a query may run or wait for one. */
const CONNECTIONS = 8;
const LIMITS = { queryMs: 10_000, waitMs: 5_000 };
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 10_000;

/** What a process that serves knows of itself; hand `observe` to its roles. */
export type Insight = {
  readonly watch: Watch;
  readonly metrics: Metrics;
  readonly observe: (observation: Observation) => void;
};

export function createInsight({ settings }: Service, roles: readonly Role[]): Insight {
  const watch = new Watch(roles, settings.http.stalledAfterMs);
  const metrics = new Metrics();
  const observe = (observation: Observation) => {
    watch.observe(observation);
    metrics.observe(observation);
  };
  return { watch, metrics, observe };
}

async function scrape(
  { log, settings }: Service,
  { pool }: Database,
  watch: Watch,
  streams: number,
): Promise<Scrape> {
  const { erasureDeadlineMs, topics } = settings;
  const readStored = async () => ({
    status: await readStatus(pool),
    erasures: await readErasures(pool, erasureDeadlineMs),
    deadLetters: await countDeadLetters(pool),
  });
  const [stored, lags] = await Promise.all([
    readStored().catch(() => null),
    readLagsInTime(pool, log, topics.sampleEvents),
  ]);
  return { stored, lags, stalled: watch.stalled, streams };
}

export type ServeRoleOptions = {
  /** It is the only role of its process. */
  readonly alone: boolean;
  readonly onFailure: (error: unknown) => void;
  readonly onListening?: (url: string) => void;
};

/**
 * Serves HTTP until the signal aborts. What fails is reported, once as long as it stays the same, and tried
 * again: the other roles of the process go on meanwhile. Alone in its process, it throws instead.
 */
export async function runServe(
  service: Service,
  insight: Insight,
  signal: AbortSignal,
  options: ServeRoleOptions,
): Promise<void> {
  let wait = FIRST_RETRY_MS;
  let last: string | undefined;
  while (!signal.aborted) {
    try {
      await serve(service, insight, signal, options.onListening);
    } catch (error) {
      if (options.alone) throw error;
      const code = error instanceof LegonetError ? error.code : String(error);
      if (code !== last) options.onFailure(error);
      last = code;
      await sleep(wait, undefined, { signal }).catch(() => {});
      wait = Math.min(2 * wait, LAST_RETRY_MS);
    }
  }
}

async function serve(
  service: Service,
  { watch, metrics }: Insight,
  signal: AbortSignal,
  onListening: (url: string) => void = () => {},
): Promise<void> {
  const { settings, log, model, kernel, encoder, engine, logger } = service;
  const access = await openAccess(settings);
  const database = openDatabase(service.database.url, CONNECTIONS, LIMITS);
  let http: HttpService | undefined;
  const read = async () =>
    metrics.render(await scrape(service, database, watch, http?.streams() ?? 0));
  try {
    http = await startServer(
      {
        database,
        log,
        model,
        kernel,
        encoder,
        engine,
        logger,
        access,
        ratePerMinute: settings.http.ratePerMinute,
        // Who asks at the same time shares an answer: nobody can keep the database busy by asking.
        metrics: { contentType: metrics.contentType, read: shared(read) },
        readiness: shared(() => checkReadiness(service, database, watch)),
        topics: settings.topics,
        erasureDeadlineMs: settings.erasureDeadlineMs,
        onAnswered: metrics.answered,
      },
      settings.http,
    );
    if (access.localToken !== null) await writeLocalUrl(settings.dataDir, http.url);
    logger.info({ event: 'http_serving', url: http.url }, 'serving HTTP');
    if (access.tokens.size === 0) {
      const message = 'no tokens: only health and metrics are served; set LEGONET_TOKENS_FILE';
      logger.warn({ event: 'http_without_tokens' }, message);
    }
    onListening(http.url);
    await watch.run(service, database, signal);
  } finally {
    await http?.close();
    await database.close();
    if (http && access.localToken !== null) await removeLocalUrl(settings.dataDir, http.url);
  }
}
