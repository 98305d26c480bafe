import kafkajs, { type Kafka } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import { createClient } from '#src/log/kafka/connection.js';
import type { ConsumeOptions } from '#src/log/kafka/consume-options.js';
import { GroupConsumption } from '#src/log/kafka/consumption.js';
import type { KafkaLog, KafkaLogOptions } from '#src/log/kafka/log.js';
import { planErasure, planTopics } from '#src/log/kafka/policy.js';
import { makeTopics } from '#src/log/kafka/topics.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';

const missing = await kafkaMissing();
const values = (records: readonly LogRecord[]) => records.map(({ value }) => String(value));
const range = (length: number) => Array.from({ length }, (_, i) => i);

describe.skipIf(missing)('reading from Kafka', () => {
  const logs = logKeeper();
  let brokers: string[];
  let options: KafkaLogOptions;
  let log: KafkaLog;
  let kafka: Kafka;

  beforeEach(async () => {
    ({ brokers } = await testBroker());
    options = logOptions(brokers, { environment: { KAFKA_PARTITIONS: '1' } });
    log = await logs.open(options);
    kafka = createClient({ brokers }, () => {});
  });
  afterEach(() => logs.close());

  /** Reads partition 0 until position `until` is passed; what it read, and in how many fetches. */
  async function read(
    topic: string,
    until: bigint,
    own: Partial<ConsumeOptions> = {},
  ): Promise<{ records: LogRecord[]; fetches: number }> {
    const records: LogRecord[] = [];
    const done = new AbortController();
    let fetches = 0;
    const connect = () => {
      const client = createClient({ brokers }, () => {});
      const consumer = client.consumer.bind(client);
      client.consumer = (config) => {
        const made = consumer(config);
        made.on(made.events.FETCH, () => {
          fetches++;
        });
        return made;
      };
      return client;
    };
    const consumption = new GroupConsumption(connect, {
      topic,
      groupId: `${options.kafka.groupId}-test`,
      sessionMs: options.kafka.sessionTimeoutMs,
      commits: false,
      signal: done.signal,
      start: async () => 0n,
      ends: async () => new Map(),
      onLog: () => {},
      handle: async (batch) => {
        records.push(...batch.records);
      },
      onProgress: (_, next) => {
        if (next >= until) done.abort();
        return true;
      },
      ...own,
    });
    await consumption.run();
    return { records, fetches };
  }

  /** Sends batches, all by one producer. */
  async function send(topic: string, ...batches: { key: string; value: string }[][]) {
    const producer = kafka.producer({
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const messages of batches) await producer.send({ topic, messages });
    await producer.disconnect();
  }

  test('gaps that compaction left are crossed in a few fetches, from wherever one begins', async () => {
    const { topics, kafka: settings, erasureDeadlineMs } = logOptions(brokers);
    const topic = topics.sampleEvents;
    // Small segments, so that what is thinned out stays at the end of one and is not merged with more.
    const [plan] = planTopics(topics, settings, planErasure(erasureDeadlineMs));
    if (!plan) throw new Error('expected a plan');
    const small = { name: 'segment.bytes', value: '1048576', must: 'be' } as const;
    const admin = kafka.admin();
    await admin.connect();
    await makeTopics(admin, [{ ...plan, partitions: 1, rules: [...plan.rules, small] }]);
    const filler = (name: string) => ({ key: name, value: 'x'.repeat(700_000) });
    const gone = (length: number) => range(length).map((i) => ({ key: 'x', value: `${i}` }));
    // Of the first thousand one record stays, of the second an empty batch, as its producer's last.
    await send(topic, [filler('a')], [{ key: 'kept', value: 'kept' }, ...gone(999)], gone(1000));
    const roll = async () => {
      // Now and then late enough to close a segment, so that the one before is cleaned.
      await send(topic, [filler('b')], gone(1));
      return (await admin.fetchTopicOffsets(topic)).map(({ high }) => BigInt(high));
    };
    await expect
      .poll(
        async () => {
          const [end = 0n] = await roll();
          return (await read(topic, end)).records.length;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBeLessThan(20);
    const [end = 0n] = await roll();
    await admin.disconnect();
    for (const from of [0n, 2n, 500n, 1001n, 1500n, 2000n]) {
      const { records, fetches } = await read(topic, end, { start: async () => from });
      expect(records.some(({ key }) => key === 'kept')).toBe(from < 2n);
      expect(records.at(-1)?.position).toBe(end - 1n);
      expect(fetches).toBeLessThan(50);
    }
  });

  test('what a group committed to Kafka decides nothing', async () => {
    const topic = options.topics.sampleEvents;
    await log.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    const readAll = async () => {
      const done = new AbortController();
      const seen: LogRecord[] = [];
      await log.consume(topic, {
        group: 'readers',
        signal: done.signal,
        start: async () => 0n,
        handle: async ({ records }) => {
          seen.push(...records);
          done.abort();
        },
      });
      return values(seen);
    };
    expect(await readAll()).toEqual(['1']);
    const admin = kafka.admin();
    await admin.connect();
    const groupId = `${options.kafka.groupId}-readers`;
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
    await admin.disconnect();
    expect(committed?.partitions).toEqual([{ partition: 0, offset: '1', metadata: null }]);
    expect(await readAll()).toEqual(['1']);
  });

  test('a position beyond the end stops, for the topic is not what it was', async () => {
    const topic = options.topics.sampleEvents;
    await log.append(topic, [{ key: 'a', value: Buffer.from('1') }]);
    const reading = log.consume(topic, {
      group: 'readers',
      signal: new AbortController().signal,
      start: async () => 7n,
      handle: async () => {},
    });
    await expect(reading).rejects.toMatchObject({ code: 'log_truncated', retry: 'stop' });
  });

  test('a session that is shorter than the brokers allow is refused by its name', async () => {
    const hasty = await logs.open({
      ...options,
      kafka: { ...options.kafka, sessionTimeoutMs: 1000 },
    });
    const reading = hasty.consume(options.topics.sampleEvents, {
      group: 'hasty',
      signal: AbortSignal.timeout(100_000),
      start: async () => 0n,
      handle: async () => {},
    });
    await expect(reading).rejects.toMatchObject({ code: 'session_timeout_refused', retry: 'stop' });
  });

  test('where records were removed under a reader it goes on at the first that is left', async () => {
    const topic = options.topics.modelVersions;
    const value = Buffer.alloc(900_000, 'x');
    await log.append(
      topic,
      range(6).map((i) => ({ key: `${i}`, value })),
    );
    const admin = kafka.admin();
    await admin.connect();
    const seen: bigint[] = [];
    const done = new AbortController();
    await log.consume(topic, {
      group: 'readers',
      signal: done.signal,
      start: async () => 0n,
      handle: async ({ records }) => {
        if (seen.length === 0) {
          await admin.fetchTopicOffsets(topic);
          await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
        }
        seen.push(...records.map(({ position }) => position));
        if (seen.includes(5n)) done.abort();
      },
    });
    await admin.disconnect();
    expect(seen.slice(-1)).toEqual([5n]);
    expect(seen).not.toContain(4n);
  });

  test('of transactions only what was committed is read, and their ends are passed', async () => {
    const topic = options.topics.sampleEvents;
    const producer = kafka.producer({
      transactionalId: `${options.kafka.groupId}-transaction`,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const outcome of ['abort', 'commit', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: outcome, value: outcome }] });
      await transaction[outcome]();
    }
    await producer.disconnect();
    // Three records and three ends of transactions, the last of which may be on its way.
    await expect.poll(async () => (await log.ends(topic)).get(0), { timeout: 30_000 }).toBe(6n);
    expect(values((await read(topic, 6n)).records)).toEqual(['commit']);
  });

  test('other consumers of kafkajs in the process see their records and nothing else', async () => {
    const topic = options.topics.sampleEvents;
    await log.append(
      topic,
      range(5).map((i) => ({ key: `${i}`, value: Buffer.from(`${i}`) })),
    );
    await read(topic, 5n);
    const consumer = kafka.consumer({ groupId: `${options.kafka.groupId}-other` });
    const seen: string[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(String(message.value));
      },
    });
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(5);
    await consumer.disconnect();
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
  });
});
