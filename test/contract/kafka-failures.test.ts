import { afterEach, describe, expect, test } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import type { KafkaLog } from '#src/log/kafka/log.js';
import { SharedStore } from '../support/group-member.js';
import { kafkaMissing } from '../support/kafka.js';
import { type Cluster, startCluster } from '../support/kafka-broker.js';
import { leaderOf } from '../support/kafka-leader.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { persist } from '../support/persist.js';
import { readLog } from '../support/read-log.js';

const missing = await kafkaMissing();
const DAY_MS = 86_400_000;
const IN_CI = process.env.CI === 'true';
const CHAOS = process.env.LEGONET_KAFKA_CHAOS === '1';
const values = (records: readonly LogRecord[]) => records.map(({ value }) => String(value));

/** Consumes in a group until `total` different values are there, whatever happens to the brokers. */
async function follow(log: KafkaLog, topic: string, store: SharedStore, total: number) {
  const done = new AbortController();
  const distinct = new Set<string>();
  await persist(() =>
    log.consume(topic, {
      group: 'followers',
      signal: done.signal,
      start: async (partition) => store.next(partition),
      handle: async (batch) => {
        store.take(batch);
        for (const value of values(batch.records)) distinct.add(value);
        if (distinct.size >= total) done.abort();
      },
    }),
  );
}

/** Appends values 0 to `total` in steps of `each`; those whose append was not acknowledged come again. */
async function appendAll(
  log: KafkaLog,
  topic: string,
  total: number,
  each: number,
  reached: (appended: number) => Promise<void>,
) {
  for (let from = 0; from < total; from += each) {
    const records = Array.from({ length: each }, (_, i) => {
      return { key: `k${from + i}`, value: Buffer.from(`${from + i}`) };
    });
    await persist(async () => {
      await log.append(topic, records);
    });
    await reached(from + each);
  }
}

describe.skipIf(missing)('when brokers fail', () => {
  const logs = logKeeper();
  let cluster: Cluster | undefined;
  afterEach(async () => {
    await logs.close();
    await cluster?.close();
    cluster = undefined;
  });

  // Half a minute: in CI, or with LEGONET_KAFKA_CHAOS=1.
  test.runIf(IN_CI || CHAOS)(
    'a broker that is killed and comes back has every record, and its consumers go on',
    async () => {
      cluster = await startCluster();
      const broker = cluster;
      const options = logOptions(broker.brokers, { deadlineMs: DAY_MS });
      const topic = options.topics.sampleEvents;
      const writer = await logs.open(options);
      const store = new SharedStore();
      const total = 3000;
      const following = follow(await logs.open(options), topic, store, total);
      await appendAll(writer, topic, total, 100, async (appended) => {
        if (appended !== 1000) return;
        await broker.kill(1);
        void broker.restart(1);
      });
      await following;
      const expected = Array.from({ length: total }, (_, i) => `${i}`).sort();
      expect([...new Set(values(store.records))].sort()).toEqual(expected);
      const there = await readLog(writer, topic);
      expect([...new Set(values(there))].sort()).toEqual(expected);
      // Each record was taken once, and none is there that was not taken.
      expect(store.records.length).toBe(there.length);
    },
  );

  // A minute or two: with LEGONET_KAFKA_CHAOS=1.
  test.runIf(CHAOS)(
    'of three brokers the leader is killed, twice, and no acknowledged record is lost',
    async () => {
      cluster = await startCluster({ nodes: 3 });
      const three = cluster;
      const options = logOptions(three.brokers, {
        deadlineMs: DAY_MS,
        environment: { KAFKA_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2' },
      });
      const topic = options.topics.sampleEvents;
      const writer = await logs.open(options);
      const store = new SharedStore();
      const total = 20_000;
      const following = follow(await logs.open(options), topic, store, total);
      let killed = 0;
      await appendAll(writer, topic, total, 200, async (appended) => {
        if (appended === 5000 || appended === 13_000) {
          killed = await leaderOf(three, topic);
          await three.kill(killed);
        }
        if (appended === 9000) await three.restart(killed);
      });
      await following;
      const there = values(await readLog(writer, topic));
      const distinct = new Set(there);
      const lost = Array.from({ length: total }, (_, i) => `${i}`).filter(
        (value) => !distinct.has(value),
      );
      console.log(`${total} appended, ${lost.length} lost, ${there.length - total} doubled`);
      expect(lost).toEqual([]);
      expect(new Set(values(store.records)).size).toBe(total);
      expect(store.records.length).toBe(there.length);
    },
    300_000,
  );
});
