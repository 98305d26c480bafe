import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SCOPES } from '#src/serve/tokens.js';
import { runRole } from '#src/service/roles.js';
import { openDatabase } from '#src/store/database.js';
import { type Running, startLegonet } from '../support/cli.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';
import { deletion, ingests } from '../support/http.js';
import { kafkaMissing } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import {
  environmentOf,
  openWorld,
  until,
  untilProjected,
  type World,
} from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { readEvents, type ServerSentEvent } from '../support/sse.js';

const missing = await kafkaMissing();
const model = tinyModel();
const TOKEN = 'token-of-the-test';
const PUBLISHED = 'legonet.model.version.published.v1';
const UNREACHABLE = 'the event log does not answer';

type Ready = {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
};

describe.skipIf(missing)('a process that serves, with its log on Kafka', () => {
  let folder: string;
  let cluster: Cluster;
  let world: World;
  const processes: Running[] = [];

  beforeAll(async () => {
    folder = await temporaryDirectory();
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    await writeFile(join(folder, 'tokens'), `${sha256} ${SCOPES.join(' ')}\n`, { mode: 0o600 });
    // Of its own: it is stopped.
    cluster = await startCluster();
    world = await openWorld(cluster.brokers, model);
  });
  afterAll(async () => {
    for (const { process } of processes) process.kill('SIGTERM');
    await Promise.all(processes.map(({ ended }) => ended));
    await world?.close();
    await cluster?.close();
    await removeDataDir(folder);
  });

  /** Starts such a process; what asks it. */
  async function serve(roles: string) {
    const running = startLegonet(['start', '--roles', roles], {
      ...environmentOf(world),
      LEGONET_DATA_DIR: folder,
      LEGONET_TOKENS_FILE: join(folder, 'tokens'),
      LEGONET_STALLED_AFTER_MS: '2000',
    });
    processes.push(running);
    const { url } = await running.logs('http_serving');
    const ask = (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${TOKEN}`, ...init.headers };
      return fetch(new URL(path, String(url)), { ...init, headers });
    };
    const metrics = async () => (await ask('/metrics')).text();
    const ready = async () => {
      const answer = await ask('/readyz');
      const state = (await answer.json()) as Ready;
      expect(answer.status).toBe(state.ready ? 200 : 503);
      return state;
    };
    return { ask, metrics, ready };
  }

  const append = (records: Parameters<World['log']['append']>[1]) =>
    world.log.append(world.options.topics.sampleEvents, records);
  const waiting = { timeout: 60_000, interval: 200 };

  test('tells versions, lag and why it is not ready while the broker is down, and recovers', async () => {
    const { ask, metrics, ready } = await serve('project,publish,serve');
    const alone = await serve('serve');
    const stream = readEvents(await alone.ask('/v1/versions/stream'));
    await append(ingests(model, 's', 30));
    await untilProjected(world);
    const builder = await world.start({ roles: ['build'] });
    expect(await nextVersion(stream)).toMatchObject({ model: 'tiny', version: 1 });
    expect(await (await ask('/v1/versions')).json()).toMatchObject([{ version: 1 }]);
    await expect.poll(metrics, waiting).toMatch(/^legonet_log_up 1$/m);
    for (const partition of [0, 1, 2]) {
      const lag = `legonet_consumer_lag_records{partition="${partition}"} 0\n`;
      await expect.poll(metrics, waiting).toContain(lag);
      expect(await alone.metrics()).toContain(lag);
    }
    expect(await ready()).toEqual({ ready: true, reasons: [], warnings: [] });

    await builder.stop();
    await append([deletion('s7')]);
    await untilProjected(world);
    // Nothing is left to be done with the broker, but for the version that is not built yet.
    await until(world, async () => {
      const { rowCount } = await world.database.pool.query(
        'SELECT FROM erasures WHERE declared_position IS NULL',
      );
      return rowCount === 0 ? [] : ['an erasure is not declared'];
    });
    const later = await world.open();
    await cluster.stop(1);
    for (const one of [alone, { metrics, ready }]) {
      await expect.poll(one.ready, waiting).toMatchObject({ ready: true, warnings: [UNREACHABLE] });
      await expect.poll(one.metrics, waiting).toMatch(/^legonet_log_up 0$/m);
      expect(await one.metrics()).not.toMatch(/^legonet_consumer_lag_records/m);
    }
    // What is projected is built all the same, and cannot be announced.
    const built = new AbortController();
    const building = runRole(later, 'build', built.signal, () => {});
    const stuck = /^publish has not moved for \d+ s while work waits: announcements, at event \d+$/;
    await expect
      .poll(ready, waiting)
      .toMatchObject({ ready: false, reasons: [expect.stringMatching(stuck)] });
    expect(await metrics()).toContain('legonet_role_stalled{role="publish"} 1');
    expect(await alone.ready()).toMatchObject({ ready: true });
    const [, second] = (await (await alone.ask('/v1/versions')).json()) as unknown[];
    expect(second).toMatchObject({ version: 2, publishedAt: null });
    expect((await ask('/healthz')).status).toBe(200);

    await cluster.restart(1);
    expect(await nextVersion(stream)).toMatchObject({ version: 2, deletions: ['r-s7'] });
    for (const one of [alone, { ready }]) {
      await expect.poll(one.ready, waiting).toEqual({ ready: true, reasons: [], warnings: [] });
    }
    await append(ingests(model, 't', 3));
    expect(await nextVersion(stream)).toMatchObject({ model: 'tiny' });
    built.abort();
    await building;
    await later.close();
  }, 300_000);

  test('takes events while the database is away, and applies them when it is back', async () => {
    const { ask, ready } = await serve('project,serve');
    const server = inject('server');
    if ('missing' in server) throw new Error(server.missing);
    const admin = openDatabase(server.url, 1);
    const name = new URL(world.url).pathname.slice(1);
    const allow = (is: boolean) =>
      admin.pool.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${is}`);
    try {
      await allow(false);
      await admin.pool.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
        [name],
      );
      await expect.poll(ready, waiting).toMatchObject({ ready: false });
      const { value } = deletion('s11');
      const headers = { 'content-type': 'application/cloudevents+json' };
      const answer = await ask('/v1/events', { method: 'POST', body: String(value), headers });
      expect([answer.status, await answer.json()]).toEqual([202, { ids: ['r-s11'] }]);
      await allow(true);
      await untilProjected(world);
      expect(await (await ask('/v1/samples/s11')).json()).toMatchObject({ state: 'deleted' });
    } finally {
      await allow(true);
      await admin.close();
    }
  });
});

/** What the next version that is announced says of itself. */
async function nextVersion(stream: AsyncGenerator<ServerSentEvent, void>): Promise<unknown> {
  for (;;) {
    const { done, value } = await stream.next();
    if (done) throw new Error('the stream has ended');
    if (value.event === PUBLISHED) return JSON.parse(value.data ?? '').data;
  }
}
