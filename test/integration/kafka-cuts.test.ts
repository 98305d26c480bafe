import { afterEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import { expectEndured, historyOf, respite, told, untilFurther } from '../support/kafka-failing.js';
import { openWorld, type World } from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { randomIntegers } from '../support/random.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const model = tinyModel({ adapters: 6, encoder: { kind: 'identity', dimension: 3, scale: 1 } });
const missing = await kafkaMissing();
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? 1);
const SEED = Number(process.env.LEGONET_SEED ?? 1);
const seeds = Array.from({ length: HISTORIES }, (_, i) => SEED + i);
/** Who has lost connections again and again waits, on purpose. */
const STUCK_MS = 300_000;
const SENDINGS = 16;
/** After so many sendings the roles get time to come to an end, connections as bad as they are. */
const EVERY = 8;
const LONGEST_DELAY_MS = 40;

/** One thing that a bad network does, until the next; by turns, for some seeds would leave one out. */
function meddle(proxy: TcpProxy, random: (limit: number) => number, nth: number): void {
  proxy.delay(0);
  const turn = nth % 4;
  if (turn === 0) proxy.cut(random(2) === 0 ? undefined : random(Math.max(1, proxy.open())));
  else if (turn === 1) proxy.halveNext();
  else if (turn === 2) proxy.delay(1 + random(LONGEST_DELAY_MS));
  else proxy.cut(random(Math.max(1, proxy.open())));
}

async function expectEndures(what: string, world: World, proxy: TcpProxy, seed: number) {
  const random = randomIntegers(seed);
  let projected = 0n;
  const endured = await expectEndured(world, historyOf(model, seed, SENDINGS), async (nth) => {
    // Roles that have just failed wait a while: what breaks is to break while they are at work.
    if (nth % 2 === 1) projected = await untilFurther(world, projected);
    meddle(proxy, random, nth);
    if (nth % EVERY === EVERY - 1) await respite(world);
    if (nth === SENDINGS - 1) proxy.delay(0);
  });
  const { connections, cut, halved, delayed } = proxy.meddled;
  expect(cut).toBeGreaterThanOrEqual(5);
  expect(halved).toBeGreaterThanOrEqual(2);
  expect(delayed).toBeGreaterThanOrEqual(2);
  const meddled = `of ${connections} connections ${cut} cut, ${halved} after half; ${delayed} parts delayed`;
  console.log(`${what}, seed ${seed}: ${meddled}; ${told(endured)}`);
}

const IN_CI = process.env.CI === 'true';
const CHAOS = process.env.LEGONET_KAFKA_CHAOS === '1';

describe.skipIf(missing)('all roles on Kafka lose and double nothing', () => {
  let world: World | undefined;
  let cluster: Cluster | undefined;
  let proxy: TcpProxy | undefined;
  let database: TestDatabase | undefined;
  afterEach(async () => {
    await world?.close();
    await cluster?.close();
    await proxy?.close();
    await database?.drop();
    [world, cluster, proxy, database] = [undefined, undefined, undefined, undefined];
  });

  test.each(seeds)(
    'when connections to PostgreSQL are cut and delayed (seed %i)',
    async (seed) => {
      const { brokers } = await testBroker();
      database = await createTestDatabase();
      const { url } = database;
      const { hostname, port } = new URL(url);
      const before = await startTcpProxy({ host: hostname, port: Number(port || 5432) });
      proxy = before;
      const through = () =>
        Object.assign(new URL(url), { host: `${before.host}:${before.port}` }).href;
      world = await openWorld(brokers, model, { url, through });
      await expectEndures('PostgreSQL', world, proxy, seed);
    },
    STUCK_MS,
  );

  // Half a minute: in CI, or with LEGONET_KAFKA_CHAOS=1.
  describe.runIf(IN_CI || CHAOS)('with a broker of its own', () => {
    test.each(seeds)(
      'when connections to the broker are cut and delayed (seed %i)',
      async (seed) => {
        const before = await startTcpProxy();
        proxy = before;
        cluster = await startCluster({
          through: async (listens) => {
            const [host = '', port] = listens.split(':');
            before.upstream = { host, port: Number(port) };
            return `${before.host}:${before.port}`;
          },
        });
        world = await openWorld(cluster.brokers, model);
        await expectEndures('broker', world, proxy, seed);
      },
      STUCK_MS,
    );
  });
});
