import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterEach, describe, expect, test } from 'vitest';
import { deletionRecord, isRoll } from '#src/events/own-records.js';
import type { Erasure } from '#src/log/event-log.js';
import { createClient } from '#src/log/kafka/connection.js';
import type { KafkaLog } from '#src/log/kafka/log.js';
import { planErasure } from '#src/log/kafka/policy.js';
import { findOnDisk } from '../support/disk.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { KAFKA_VERSIONS } from '../support/kafka-broker.js';
import { logKeeper, logOptions, QUICK_MS } from '../support/kafka-log.js';
import { readLog } from '../support/read-log.js';

const missing = await kafkaMissing();
const DAY_MS = 86_400_000;
const pause = (milliseconds = 50) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const marker = () => `MARKER-${randomBytes(12).toString('hex')}`;

function erasureOf(key: string, partition: number, first = 0n): Erasure {
  return { key, partition, first, record: () => deletionRecord(key, 'request'), declared: null };
}

/** One call, and the erasures as they are stored after it. */
async function step(
  log: KafkaLog,
  topic: string,
  erasures: readonly Erasure[],
  at = new Date(),
): Promise<Erasure[]> {
  const progress = await log.erase(topic, erasures, await log.ends(topic));
  return erasures.flatMap((one) => {
    const moved = progress.find((p) => p.key === one.key && p.partition === one.partition);
    if (moved?.erased) return [];
    return moved ? [{ ...one, declared: { position: moved.declared, at } }] : [one];
  });
}

async function eraseAll(log: KafkaLog, topic: string, erasures: readonly Erasure[]) {
  for (let left = erasures; left.length > 0; await pause()) left = await step(log, topic, left);
}

describe.skipIf(missing)('erasure on Kafka', () => {
  const logs = logKeeper();
  afterEach(() => logs.close());

  test.each(KAFKA_VERSIONS)(
    'nothing that was deleted is on the disk of a broker %s, though nobody writes any more',
    async (version) => {
      const { brokers, dataDirs } = await testBroker(version);
      const options = logOptions(brokers);
      const topic = options.topics.sampleEvents;
      const log = await logs.open(options);
      const [first, second, elsewhere, neighbour, reason] = Array.from({ length: 5 }, marker);
      const markers = [`${first}`, `${second}`, `${elsewhere}`, `${neighbour}`, `${reason}`];
      const producer = createClient({ brokers }, () => {}).producer({
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      });
      await producer.connect();
      // Wherever a producer's own partitioner puts the records of a key.
      const put = (partition: number, key: string, value = '') =>
        producer.send({ topic, messages: [{ key, value, partition }] });
      await put(0, 'a', first);
      await put(0, 'b', neighbour);
      await put(1, 'a', elsewhere);
      await put(0, 'a', second);
      await put(0, 'a', reason);
      await producer.disconnect();
      const onDisk = () => findOnDisk(dataDirs, markers);
      await expect.poll(onDisk, { timeout: 30_000 }).toContain(elsewhere);

      await eraseAll(log, topic, [erasureOf('a', 0), erasureOf('a', 1)]);

      expect(await onDisk()).toEqual([neighbour]);
      const left = (await readLog(log, topic)).filter(({ key }) => key === 'a');
      expect(left.map(({ partition }) => partition).sort()).toEqual([0, 1]);
      for (const { value } of left) {
        expect(JSON.parse(String(value))).toMatchObject({ data: { sampleId: 'a' } });
      }
    },
  );

  test('a process that comes after another goes on with what is stored', async () => {
    const { brokers } = await testBroker();
    const options = logOptions(brokers);
    const topic = options.topics.sampleEvents;
    const before = await logs.open(options);
    await before.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    const [record] = await readLog(before, topic);
    const declared = await step(before, topic, [erasureOf('a', record?.partition ?? 0)]);
    await logs.close();
    const after = await logs.open(options);
    await eraseAll(after, topic, declared);
    const left = (await readLog(after, topic)).filter(({ key }) => key === 'a');
    expect(left.map(({ position }) => position)).toEqual([declared[0]?.declared?.position]);
  });

  test('where the consumer is behind, nothing is written: it may be about to read another request', async () => {
    const { brokers } = await testBroker();
    const options = logOptions(brokers, { environment: { KAFKA_PARTITIONS: '1' } });
    const topic = options.topics.sampleEvents;
    const log = await logs.open(options);
    const value = Buffer.from('x');
    await log.append(topic, [{ key: 'a', value }]);
    await log.append(topic, [{ key: 'a', value }]);
    const erasures = [erasureOf('a', 0)];
    for (let i = 0; i < 3; i++) {
      expect(await log.erase(topic, erasures, new Map([[0, 1n]]))).toEqual([]);
    }
    expect((await log.ends(topic)).get(0)).toBe(2n);
    // It reads on, and others write on: having read what was there is enough.
    await log.append(topic, [{ key: 'b', value }]);
    const progress = await log.erase(topic, erasures, new Map([[0, 2n]]));
    expect(progress).toEqual([{ key: 'a', partition: 0, declared: 3n, erased: false }]);
  });

  test('what is still there is not called erased, and rolled no more often than it may be', async () => {
    const { brokers } = await testBroker();
    let now = Date.now();
    const options = logOptions(brokers, {
      // To the brokers a day, of which a fraction of a second has gone by.
      deadlineMs: DAY_MS,
      now: () => now,
      environment: { KAFKA_PARTITIONS: '1' },
    });
    const topic = options.topics.sampleEvents;
    const log = await logs.open(options);
    await log.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    let left = await step(log, topic, [erasureOf('a', 0)], new Date(now));
    const rolls = async () => (await readLog(log, topic)).filter(isRoll).length;
    const { lagMs, clockMs, rollIntervalMs, verifyIntervalMs } = planErasure(DAY_MS);
    const steps = async () => {
      for (let i = 0; i < 10; i++) {
        left = await step(log, topic, left);
        await pause(20);
      }
    };
    await steps();
    expect(await rolls()).toBe(0);
    now += lagMs + clockMs + 1;
    await steps();
    expect(await rolls()).toBe(1);
    now += rollIntervalMs + verifyIntervalMs;
    await steps();
    await pause(1000);
    await steps();
    expect(await rolls()).toBe(1);
    expect(left.length).toBe(1);
    now += lagMs + clockMs;
    await steps();
    expect(await rolls()).toBe(2);
    expect(left.length).toBe(1);
  });

  test('many erasures of a partition are done together', async () => {
    const { brokers } = await testBroker();
    const options = logOptions(brokers, { deadlineMs: QUICK_MS * 4 });
    const topic = options.topics.sampleEvents;
    const log = await logs.open(options);
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await log.append(
      topic,
      keys.map((key) => ({ key, value: Buffer.from('payload') })),
    );
    const records = await readLog(log, topic);
    await eraseAll(
      log,
      topic,
      records.map(({ key, partition, position }) => erasureOf(`${key}`, partition, position)),
    );
    const left = await readLog(log, topic);
    expect(left.filter(({ value }) => String(value) === 'payload')).toEqual([]);
    expect(new Set(left.map(({ key }) => key))).toEqual(new Set([...keys, 'subject:']));
    expect(left.filter(isRoll).length).toBeLessThan(30);
  });
});
