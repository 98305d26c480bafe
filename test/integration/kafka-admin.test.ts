import { describe, expect, test } from 'vitest';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';

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
});
