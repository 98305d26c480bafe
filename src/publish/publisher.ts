import { EVENT_CONTENT_TYPE } from '../events/cloud-event.js';
import { readTrace, traceIdOf } from '../events/trace-context.js';
import type { EventLog } from '../log/event-log.js';
import { int8Array } from '../store/arrays.js';
import { queryPrepared, transaction } from '../store/database.js';
import { type TraceContext, traced } from '../tracing.js';
import { attestVersions } from './attest.js';
import type { PublishOptions } from './options.js';
import { type OpenSigner, signLog } from './sign.js';

type OutboxRow = {
  id: bigint;
  kind: 'published' | 'retired';
  version: number;
  key: string;
  value: Buffer;
  traceparent: string | null;
};

export type PublisherOptions = PublishOptions & { readonly signer: OpenSigner };

const BATCH = 100;

/**
 * Signs the log and then sends what the outbox holds to the model-versions topic, in order, at least once (a crash between
 * sending and marking sends again; subscribers tell by the event's id). Returns versions published.
 */
export async function publishPending(options: PublisherOptions): Promise<number[]> {
  const { database, log, topic, reached = () => {} } = options;
  const versions: number[] = [];
  for (;;) {
    const { rows } = await database.pool.query<OutboxRow>(
      `SELECT id, kind, version, key, value, traceparent FROM outbox WHERE published_at IS NULL
       ORDER BY id LIMIT ${BATCH}`,
    );
    const published = rows.filter(({ kind }) => kind === 'published').map(({ version }) => version);
    if (rows.length > 0) reached('publish.found');
    // What these rows announce was queued with them: it is in the log before anybody hears of it.
    const signer = await options.signer();
    const [signed] = await Promise.all([
      signLog(database, options.signer),
      attestVersions(database, signer, published),
    ]);
    // Its key was rotated in between, or since it was opened.
    if (signed !== signer) await attestVersions(database, signed, published, true);
    if (rows.length === 0) return versions;
    reached('publish.before-append');
    await send(log, topic, rows);
    reached('publish.after-append');
    await transaction(database.pool, async (client) => {
      await queryPrepared(
        client,
        `WITH sent AS (
           UPDATE outbox SET published_at = now() WHERE id = ANY($1::int8[])
         ), known AS (
           SELECT version FROM versions WHERE version = ANY($2) ORDER BY version FOR NO KEY UPDATE
         ), published AS (
           UPDATE versions v SET published_at = now() FROM known k WHERE v.version = k.version
         ) SELECT pg_notify('legonet_published', '')`,
        [int8Array(rows.map(({ id }) => id)), published],
      );
      reached('publish.before-commit');
    });
    reached('publish.after-commit');
    versions.push(...published);
  }
}

function send(log: EventLog, topic: string, rows: readonly OutboxRow[]): Promise<void> {
  const traces = new Map<string | null, TraceContext>();
  for (const { traceparent } of rows) {
    const trace = readTrace(traceparent);
    if (trace) traces.set(traceparent, trace);
  }
  const causes = { deletions: [], others: [...traces.values()] };
  const messages = { system: log.system, topic, count: rows.length };
  return traced({ name: 'publish', causes, messages }, async (span) => {
    const sent = readTrace(span.traceparent);
    const records = rows.map(({ key, value, traceparent }) => {
      const built = traces.get(traceparent);
      // Events of several traces are sent in a span that is in none of them.
      const trace = sent && built && traceIdOf(sent) === traceIdOf(built) ? sent : built;
      return { key, value, headers: { 'content-type': EVENT_CONTENT_TYPE, ...trace } };
    });
    await log.append(topic, records);
  });
}
