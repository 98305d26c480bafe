import { connect } from 'node:net';
import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { SharedAdmin } from '#src/log/kafka/admin.js';
import { readMetadata } from '#src/log/kafka/topics.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const missing = await kafkaMissing();
const TIMES = 100;

describe.skipIf(missing)('the log on Kafka', () => {
  test('tells where a topic ends while it looks up other topics', async () => {
    const { brokers } = await testBroker();
    const logs = logKeeper();
    // So late each time that what is known of a topic is looked up again.
    let now = 0;
    const options = logOptions(brokers, { now: () => (now += 3_600_000) });
    const { sampleEvents, modelVersions, deadLetters } = options.topics;
    try {
      const log = await logs.open(options);
      const asking = async () => {
        for (let i = 0; i < TIMES; i++) expect((await log.ends(sampleEvents)).size).toBe(3);
      };
      const appending = async (topic: string) => {
        for (let i = 0; i < TIMES; i++) await log.append(topic, [{ key: 'a', value: null }]);
      };
      const all = [asking(), asking(), appending(modelVersions), appending(deadLetters)];
      const outcomes = await Promise.allSettled(all);
      expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
    } finally {
      await logs.close();
    }
  });

  test('says that it may come back, when a connection breaks in the middle of an answer', async () => {
    const { brokers } = await testBroker();
    const [host = '', port] = (brokers[0] ?? '').split(':');
    const proxy = await startTcpProxy({ host, port: Number(port) });
    const logs = logKeeper();
    const options = logOptions(brokers);
    const { sampleEvents } = options.topics;
    const admin = new SharedAdmin(
      new kafkajs.Kafka({
        brokers,
        logLevel: kafkajs.logLevel.NOTHING,
        // Whatever the brokers call themselves.
        socketFactory: ({ onConnect }) => connect(proxy.port, proxy.host, onConnect),
      }),
    );
    const partitions = () =>
      admin.use(
        'look it up',
        async (asked) => (await readMetadata(asked, sampleEvents)).partitions,
      );
    try {
      await logs.open(options);
      expect(await partitions()).toHaveLength(3);
      // What kafkajs knows of the topic comes anew; then it asks once more.
      proxy.halveNext(2);
      await expect(partitions()).rejects.toMatchObject({
        code: 'log_unreachable',
        message: expect.stringContaining('no broker answers'),
        retry: 'retryable',
      });
      expect(await partitions()).toHaveLength(3);
    } finally {
      await admin.close();
      await logs.close();
      await proxy.close();
    }
  });
});
