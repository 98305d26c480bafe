import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, inject, test } from 'vitest';
import type { EventLog } from '#src/log/event-log.js';
import { createInsight, runServe } from '#src/service/serve.js';
import { openDatabase } from '#src/store/database.js';
import { deletion, ingests } from '../support/http.js';
import { tinyModel } from '../support/models.js';
import { type Serving, startServing } from '../support/serving.js';

const TOPIC = 'legonet.sample-events';
const model = tinyModel();

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

const append = ({ service }: Serving, records: Parameters<EventLog['append']>[1]) =>
  service.log.append(TOPIC, records);

/** A log that seems healthy and delivers nothing, until it is let go. */
function wedged(): { wrap(log: EventLog): EventLog; letGo(): void } {
  let letGo = () => {};
  const promise = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return {
    letGo: () => letGo(),
    wrap: (log) => ({
      system: log.system,
      compacts: log.compacts,
      shares: log.shares,
      append: (...args) => log.append(...args),
      ends: (topic) => log.ends(topic),
      erase: (...args) => log.erase(...args),
      close: () => log.close(),
      consume: async (topic, consumption) => {
        const stopped = new Promise((end) => consumption.signal.addEventListener('abort', end));
        await Promise.race([promise, stopped]);
        if (!consumption.signal.aborted) await log.consume(topic, consumption);
      },
    }),
  };
}

test('a role that is wedged makes the process not ready, with a reason, until it moves', async () => {
  const { wrap, letGo } = wedged();
  serving = await startServing(model, 300, wrap);
  expect(await serving.get('/readyz')).toMatchObject({ status: 200 });
  await append(serving, ingests(model, 's', 10));
  const reasons = await serving.until('/readyz', (status, text) =>
    status === 503 ? JSON.parse(text).reasons : undefined,
  );
  expect(reasons).toEqual([
    expect.stringMatching(
      /^project has not moved for \d+ s while work waits: partition 0, at position 0$/,
    ),
  ]);
  expect(await serving.get('/healthz')).toMatchObject({ status: 200 });
  const { text } = await serving.get('/metrics');
  expect(text).toContain('legonet_role_stalled{role="project"} 1');
  expect(text).toContain('legonet_role_stalled{role="build"} 0');
  letGo();
  await serving.until('/readyz', (status) => (status === 200 ? true : undefined));
  await serving.until('/metrics', (_, now) =>
    /^legonet_version 1$/m.test(now) ? true : undefined,
  );
});

test('a partition that stands still on purpose is a warning: to withdraw traffic would mend nothing', async () => {
  serving = await startServing(model, 100);
  const event = { specversion: '1.0', id: 'd', source: 's', type: 'legonet.sample.deleted.v1' };
  const unreadable = Buffer.from(JSON.stringify({ ...event, data: {} }));
  await append(serving, [{ key: 'x', value: unreadable }, ...ingests(model, 's', 3)]);
  const warnings = await serving.until('/readyz', (_, text) => {
    const { warnings: found } = JSON.parse(text);
    return found.length > 0 ? found : undefined;
  });
  expect(warnings).toEqual(['1 deletions that cannot be read stop their partitions']);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await serving.get('/readyz')).toMatchObject({ status: 200 });
  const { text } = await serving.get('/metrics');
  expect(text).toMatch(/^legonet_partitions_stopped 1$/m);
  expect(text).toMatch(/^legonet_role_failures_total\{role="project"\} [1-9]/m);
});

test('without its database the process lives and is not ready, and what cannot be read is absent', async () => {
  serving = await startServing(model, 60_000);
  await append(serving, ingests(model, 's', 3));
  await serving.until('/metrics', (_, text) =>
    text.includes('legonet_version 1') ? true : undefined,
  );
  const server = inject('server');
  if ('missing' in server) throw new Error(server.missing);
  const admin = openDatabase(server.url, 1);
  const name = new URL(serving.service.database.url).pathname.slice(1);
  try {
    await admin.pool.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await admin.pool.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
      [name],
    );
    await serving.until('/readyz', (status) => (status === 503 ? true : undefined));
    expect(await serving.get('/healthz')).toMatchObject({ status: 200 });
    await serving.until('/metrics', (_, text) =>
      text.includes('legonet_database_up 0') && !/^legonet_version /m.test(text) ? true : undefined,
    );
    await admin.pool.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await serving.until('/readyz', (status) => (status === 200 ? true : undefined));
  } finally {
    await admin.pool.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await admin.close();
  }
});

test('a database that is not up to date, or has another model, makes the process not ready', async () => {
  serving = await startServing(model, 60_000);
  const { pool } = serving.service.database;
  const reason = () =>
    serving?.until('/readyz', (status, text) =>
      status === 503 ? JSON.parse(text).reasons : undefined,
    );
  const ready = () => serving?.until('/readyz', (status) => (status === 200 ? true : undefined));
  const { rows } = await pool.query(
    'DELETE FROM schema_migrations WHERE name LIKE $1 RETURNING *',
    ['0003%'],
  );
  expect(await reason()).toEqual(['migrations are missing: 0003_serve.sql']);
  const { name, checksum } = rows[0];
  await pool.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [
    name,
    checksum,
  ]);
  await ready();
  await pool.query(`UPDATE model SET digest = 'other'`);
  expect(await reason()).toEqual(['the model in force is not the one loaded']);
});

test('metrics are in the format of Prometheus, tell what happened, and of whom they do not', async () => {
  serving = await startServing(model, 60_000);
  await append(serving, [
    ...ingests(model, 'secret', 20),
    { key: 'secret-letter', value: Buffer.from('{') },
  ]);
  await serving.until('/metrics', (_, text) =>
    /^legonet_version 1$/m.test(text) ? true : undefined,
  );
  await append(serving, [deletion('secret3', 'secret-request')]);
  await serving.until('/metrics', (_, text) =>
    /^legonet_deletion_to_published_seconds_count 1$/m.test(text) ? true : undefined,
  );
  const { text } = await serving.get('/metrics');
  expect(text).not.toContain('secret');
  const metrics = parseExposition(text);
  const value = (name: string) => metrics.get(name);
  expect(value('legonet_events_applied_total')).toBeGreaterThanOrEqual(22);
  expect(value('legonet_ingest_to_projected_seconds_count')).toBeGreaterThanOrEqual(22);
  expect(value('legonet_retained_samples')).toBe(19);
  expect(value('legonet_deleted_samples')).toBe(1);
  expect(value('legonet_dirty_adapters')).toBe(0);
  expect(value('legonet_dead_letters{code="not_json"}')).toBe(1);
  expect(value('legonet_build_seconds_count')).toBe(2);
  expect(value('legonet_adapters_rebuilt_total')).toBe(5 + 2);
  expect(value('legonet_versions_published_total')).toBe(2);
  expect(value('legonet_database_up')).toBe(1);
  expect(value('legonet_log_up')).toBe(1);
  expect(value('legonet_erasures_overdue')).toBe(0);
  for (const role of ['project', 'build', 'publish']) {
    expect(value(`legonet_role_up{role="${role}"}`), role).toBe(1);
    expect(value(`legonet_role_last_progress_timestamp_seconds{role="${role}"}`)).toBeGreaterThan(
      1e9,
    );
  }
  expect(metrics.has('process_resident_memory_bytes')).toBe(true);
});

test('every metric of ours is in the reference, and no other', async () => {
  serving = await startServing(model, 60_000);
  const { text } = await serving.get('/metrics');
  const ours = [...text.matchAll(/^# TYPE (legonet_\w+) /gm)].map(([, name]) => name);
  const page = readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8');
  const described = [...page.matchAll(/^\| `(legonet_\w+)/gm)].map(([, name]) => name);
  expect(described.sort()).toEqual(ours.sort());
});

test('a port that is taken is said once and tried again, while nothing else stops', async () => {
  serving = await startServing(model, 60_000);
  const { service } = serving;
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const http = { ...service.settings.http, port };
  const second = { ...service, settings: { ...service.settings, http } };
  const stop = new AbortController();
  const insight = createInsight(second, []);
  const alone = runServe(second, insight, stop.signal, { alone: true, onFailure: () => {} });
  await expect(alone).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining('LEGONET_HTTP_PORT'),
  });
  const failures: unknown[] = [];
  let running: Promise<void> | undefined;
  const url = await new Promise<string>((resolve) => {
    const options = {
      alone: false,
      onFailure: (error: unknown) => {
        failures.push(error);
        other.close();
      },
      onListening: resolve,
    };
    running = runServe(second, insight, stop.signal, options);
  });
  expect(new URL(url).port).toBe(String(port));
  expect(failures).toMatchObject([{ code: 'port_taken' }]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  stop.abort();
  await running;
});

/** Sample name with its labels → value. Throws for a line that is not in the text format, version 0.0.4. */
function parseExposition(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, type] = /^# TYPE (\w+) (?:counter|gauge|histogram|summary)$/.exec(line) ?? [];
    if (type !== undefined) typed.add(type);
    if (type !== undefined || /^# HELP \w+ \S/.test(line)) continue;
    const sample = /^((\w+)(?:\{(?:\w+="[^"\\]*",?)+\})?) (NaN|[+-]Inf|-?\d[\d.e+-]*)$/.exec(line);
    if (!sample) throw new Error(`not in the format: ${line}`);
    const [, name = '', metric = '', value] = sample;
    const family = metric.replace(/_(bucket|sum|count)$/, '');
    if (!typed.has(metric) && !typed.has(family)) throw new Error(`no type: ${line}`);
    if (values.has(name)) throw new Error(`twice: ${line}`);
    values.set(name, Number(value));
  }
  return values;
}
