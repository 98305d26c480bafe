import { afterEach, describe, expect, test } from 'vitest';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import { expectEndured, historyOf, respite, told, untilFurther } from '../support/kafka-failing.js';
import { openWorld } from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { type FailingServer, openFailingServer } from '../support/server.js';

const model = tinyModel({ adapters: 6, encoder: { kind: 'identity', dimension: 3, scale: 1 } });
const missing = await kafkaMissing();
/** A broker that comes back on a busy machine takes its time. */
const STUCK_MS = 300_000;
const SENDINGS = 30;
/** While which sendings something fails, the history well begun and far from its end. */
const FAILS = [10, 20];
/** While which sendings everything is brought to its end first, so that there are several versions. */
const RESPITES = [5, 15];

const IN_CI = process.env.CI === 'true';
const CHAOS = process.env.LEGONET_KAFKA_CHAOS === '1';

describe.skipIf(missing)('all roles on Kafka lose and double nothing', () => {
  let cluster: Cluster | undefined;
  let server: FailingServer | undefined;
  afterEach(async () => {
    await cluster?.close();
    await server?.close();
    [cluster, server] = [undefined, undefined];
  });

  // Half a minute: in CI, or with LEGONET_KAFKA_CHAOS=1.
  test.runIf(IN_CI || CHAOS)(
    'when the broker is killed in the middle and comes back, twice',
    async () => {
      const broker = await startCluster();
      cluster = broker;
      const world = await openWorld(broker.brokers, model);
      try {
        let kills = 0;
        let projected = 0n;
        const endured = await expectEndured(world, historyOf(model, 1, SENDINGS), async (nth) => {
          if (RESPITES.includes(nth)) await respite(world);
          if (!FAILS.includes(nth)) return;
          projected = await untilFurther(world, projected);
          await broker.kill(1);
          kills++;
          await broker.restart(1);
        });
        expect(kills).toBe(2);
        console.log(`broker: ${kills} kills, ${told(endured)}`);
      } finally {
        await world.close();
      }
    },
    STUCK_MS,
  );

  test(
    'when PostgreSQL ends without a shutdown and comes back, twice',
    async () => {
      const postgres = await openFailingServer();
      server = postgres;
      const { brokers } = await testBroker();
      const world = await openWorld(brokers, model, { url: postgres.url });
      try {
        let projected = 0n;
        const ended: string[] = [];
        const endured = await expectEndured(world, historyOf(model, 2, SENDINGS), async (nth) => {
          if (RESPITES.includes(nth)) await respite(world);
          if (!FAILS.includes(nth)) return;
          projected = await untilFurther(world, projected);
          const how = ended.length === 0 ? 'SIGQUIT' : 'SIGKILL';
          await postgres.restart(how);
          ended.push(how);
        });
        expect(ended).toEqual(['SIGQUIT', 'SIGKILL']);
        console.log(`PostgreSQL: ended by ${ended.join(' and ')}, ${told(endured)}`);
      } finally {
        await world.close();
      }
    },
    STUCK_MS,
  );
});
