import type { Admin } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '#src/log/kafka/connection.js';
import { KafkaLog } from '#src/log/kafka/log.js';
import { findOnDisk } from '../support/disk.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { readLog } from '../support/read-log.js';

const missing = await kafkaMissing();

describe.skipIf(missing)('topics on Kafka', () => {
  const logs = logKeeper();
  let brokers: string[];
  let dataDirs: string[];
  let admin: Admin;

  beforeEach(async () => {
    ({ brokers, dataDirs } = await testBroker());
    admin = createClient({ brokers }, () => {}).admin();
    await admin.connect();
  });
  afterEach(async () => {
    await logs.close();
    await admin.disconnect();
  });

  test('are made once, however many processes begin at the same time', async () => {
    const options = logOptions(brokers);
    const opened = await Promise.all(Array.from({ length: 5 }, () => logs.open(options)));
    const [log] = opened;
    const topics = Object.values(options.topics);
    expect(await admin.listTopics()).toEqual(expect.arrayContaining(topics));
    expect((await log?.ends(options.topics.sampleEvents))?.size).toBe(3);
    const findings = (await log?.examine()) ?? [];
    expect(findings.map(({ name, ok }) => [name, ok])).toEqual([
      ['kafka', true],
      ...topics.map((topic) => [`topic ${topic}`, true]),
      ['erasure deadline', true],
    ]);
  });

  test('that are not what they must be are refused, with the command that mends them', async () => {
    const options = logOptions(brokers);
    const topic = options.topics.sampleEvents;
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
    const error: unknown = await logs.open(options).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'topic_mismatch' });
    const { message } = error as Error;
    expect(message).toContain('cleanup.policy is delete and must be compact');
    expect(message).toContain(
      'max.compaction.lag.ms is 9223372036854775807 and must be at most 400',
    );
    expect(message).toContain(
      `kafka-configs.sh --bootstrap-server ${brokers[0]} --alter --entity-type topics --entity-name ${topic} --add-config '`,
    );

    const log = new KafkaLog(options);
    const findings = await log.examine();
    const found = findings.find(({ name }) => name === `topic ${topic}`);
    expect(found).toMatchObject({ ok: false });
    expect(found?.remedy).toContain('kafka-configs.sh');
    await log.close();

    // As its command says.
    const [, config = ''] = /--add-config '([^']*)'/.exec(message) ?? [];
    const configEntries = config.split(',').map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return { name, value };
    });
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: topic, configEntries }],
    });
    await logs.open(options);
  });

  test('with fewer replicas than are asked for are refused or not made', async () => {
    const more = { KAFKA_REPLICATION_FACTOR: '3' };
    await expect(logs.open(logOptions(brokers, { environment: more }))).rejects.toMatchObject({
      code: 'topic_not_made',
      message: expect.stringContaining('KAFKA_REPLICATION_FACTOR'),
    });
    const options = logOptions(brokers);
    await logs.open(options);
    const kafka = { ...options.kafka, replicationFactor: 3 };
    await expect(logs.open({ ...options, kafka })).rejects.toMatchObject({
      code: 'topic_mismatch',
      message: expect.stringContaining('1 replicas, and KAFKA_REPLICATION_FACTOR is 3'),
    });
  });

  test('are not made for a deadline that the brokers cannot meet', async () => {
    // The backoff alone is 50 ms.
    const options = logOptions(brokers, { deadlineMs: 100 });
    await expect(logs.open(options)).rejects.toMatchObject({
      code: 'erasure_deadline',
      message: expect.stringMatching(
        /LEGONET_ERASURE_DEADLINE_MS=100 cannot be met: .* log\.cleaner\.backoff\.ms 50 .* = \d+ ms; set it to 1000 or more/,
      ),
    });
    expect(await admin.listTopics()).not.toContain(options.topics.sampleEvents);
  });

  test('take no record without a key where they are compacted, and none that is too large', async () => {
    const options = logOptions(brokers);
    const log = await logs.open(options);
    const { sampleEvents, modelVersions } = options.topics;
    const value = Buffer.from('x');
    const keyless = [
      { key: 'a', value },
      { key: null, value },
    ];
    await expect(log.append(sampleEvents, keyless)).rejects.toMatchObject({
      code: 'record_key_missing',
      retry: 'terminal',
    });
    await log.append(modelVersions, keyless);
    const large = [{ key: 'a', value: Buffer.alloc(3_000_000) }];
    await expect(log.append(modelVersions, large)).rejects.toMatchObject({
      code: 'record_too_large',
    });
    // The greatest that is allowed.
    await log.append(sampleEvents, [{ key: 'a'.repeat(1024), value: Buffer.alloc(1024 * 1024) }]);
    const ends = [...(await log.ends(sampleEvents)).values()];
    expect(ends.reduce((sum, end) => sum + end, 0n)).toBe(1n);
  });

  test('take what any client has compressed', async () => {
    const options = logOptions(brokers, { environment: { KAFKA_PARTITIONS: '1' } });
    const log = await logs.open(options);
    const producer = createClient({ brokers }, () => {}).producer();
    await producer.connect();
    const topic = options.topics.sampleEvents;
    const value = `compressed${'x'.repeat(100_000)}`;
    await producer.send({ topic, compression: 1, messages: [{ key: 'a', value }] });
    await producer.disconnect();
    const read = await readLog(log, topic);
    expect(read.map((record) => String(record.value))).toEqual([value]);
    // The broker has unpacked it: of codecs that kafkajs does not know nothing is left to read.
    await expect.poll(() => findOnDisk(dataDirs, [value])).toEqual([value]);
  });
});

describe.skipIf(missing)('without brokers', () => {
  test('the log says that Kafka is not reached, and that trying again may help', async () => {
    const options = logOptions(['127.0.0.1:1']);
    const log = new KafkaLog(options);
    const [opening, findings] = await Promise.allSettled([log.prepare(), log.examine()]);
    expect(opening).toMatchObject({ reason: { code: 'log_unreachable', retry: 'retryable' } });
    expect(findings).toMatchObject({ value: [{ name: 'kafka', ok: false }] });
    await log.close();
  });
});
