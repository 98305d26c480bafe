import { describe } from 'vitest';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { KAFKA_VERSIONS, type KafkaVersion } from '../support/kafka-broker.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { eventLogContract, type OpenLog } from './event-log.js';

const DAY_MS = 86_400_000;

async function open(version: KafkaVersion, purpose: 'keep' | 'erase'): Promise<OpenLog> {
  const { brokers } = await testBroker(version);
  const options = logOptions(brokers, purpose === 'keep' ? { deadlineMs: DAY_MS } : {});
  const logs = logKeeper();
  return {
    log: await logs.open(options),
    topic: options.topics.sampleEvents,
    partitions: options.kafka.partitions,
    another: () => logs.open(options),
    close: logs.close,
  };
}

const missing = await kafkaMissing();

describe.skipIf(missing)('Kafka', () => {
  for (const version of KAFKA_VERSIONS) {
    eventLogContract(`the log on Kafka ${version}`, (purpose) => open(version, purpose));
  }
});
