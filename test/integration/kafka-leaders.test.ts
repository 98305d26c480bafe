import { afterEach, describe, expect, test } from 'vitest';
import { sampleIngested } from '#src/events/cloud-event.js';
import { int8Data } from '#src/events/encoding.js';
import type { NewRecord } from '#src/log/event-log.js';
import { toNewRecord } from '../support/history.js';
import { kafkaMissing } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import { expectEndured, told, untilFurther } from '../support/kafka-failing.js';
import { leaderOf } from '../support/kafka-leader.js';
import { openWorld, type World } from '../support/kafka-world.js';
import { syntheticRows, tinyModel } from '../support/models.js';

const model = tinyModel({ adapters: 6, encoder: { kind: 'identity', dimension: 3, scale: 1 } });
const missing = await kafkaMissing();
const SAMPLES = 20_000;
const EACH = 200;
/** While which sendings the leader is killed, and the one killed first comes back. */
const KILLS = [SAMPLES / EACH / 4, (SAMPLES / EACH / 4) * 3];
const BACK = SAMPLES / EACH / 2;

/** A few minutes with three brokers: not among the tests that always run. */
const asked = process.env.LEGONET_KAFKA_CHAOS === '1';
if (!asked) console.warn('SKIPPED: leaders killed under all roles; LEGONET_KAFKA_CHAOS=1 runs it');

/** Every sample once, in sendings. */
function sendings(): NewRecord[][] {
  const { dimension, classes } = model.shape;
  const { encodings, labels } = syntheticRows('leaders', SAMPLES, dimension, classes);
  const records = Array.from(labels, (label, i) => {
    const encoding = int8Data(encodings.slice(i * dimension, (i + 1) * dimension));
    const content = { encoding, label: model.configuration.classes[label] ?? '' };
    const meta = { id: `${i}`, source: 'urn:test', time: '2024-01-01T00:00:00Z' };
    return toNewRecord(sampleIngested({ sampleId: `s${i}`, ...content }, meta));
  });
  return Array.from({ length: SAMPLES / EACH }, (_, i) => records.slice(i * EACH, (i + 1) * EACH));
}

describe.skipIf(missing || !asked)('all roles on Kafka lose and double nothing', () => {
  let cluster: Cluster | undefined;
  let world: World | undefined;
  afterEach(async () => {
    await world?.close();
    await cluster?.close();
  });

  test('when of three brokers the leader is killed, twice', async () => {
    const three = await startCluster({ nodes: 3 });
    cluster = three;
    const environment = { KAFKA_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2' };
    const opened = await openWorld(three.brokers, model, { environment });
    world = opened;
    const { sampleEvents } = opened.options.topics;
    const killed: number[] = [];
    let projected = 0n;
    const killLeaders = async (nth: number) => {
      if (nth === BACK) await three.restart(killed[0] ?? 0);
      if (!KILLS.includes(nth)) return;
      projected = await untilFurther(opened, projected);
      expect(projected).toBeLessThan(SAMPLES);
      const leader = await leaderOf(three, sampleEvents);
      await three.kill(leader);
      killed.push(leader);
    };
    const ending = { everyVersion: false };
    const endured = await expectEndured(opened, sendings(), killLeaders, ending);
    expect(killed.length).toBe(2);
    const { rows } = await opened.database.pool.query(
      `SELECT (SELECT count(*)::int FROM samples) AS samples,
              (SELECT count(*)::int FROM memberships) AS memberships`,
    );
    const memberships = SAMPLES * model.configuration.activated;
    expect(rows).toEqual([{ samples: SAMPLES, memberships }]);
    console.log(`leaders: nodes ${killed.join(' and ')} killed, ${told(endured)}`);
  }, 600_000);
});
