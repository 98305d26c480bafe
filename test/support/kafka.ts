import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';
import { type KafkaVersion, missingTools } from './kafka-broker.js';
import type { KafkaAnswer } from './kafka-setup.js';

export type TestBroker = { readonly brokers: string[]; readonly dataDirs: string[] };

/**
 * Why tests with Kafka are skipped here; undefined if they are not. In CI nothing is skipped: there it
 * throws.
 */
export async function kafkaMissing(): Promise<string | undefined> {
  const missing = await missingTools();
  if (!missing) return undefined;
  const reason = `no Kafka for tests: ${missing}; install Java 17 or newer and Maven`;
  if (process.env.CI === 'true') throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

/** The run's broker of a version, started the first time. */
export async function testBroker(version: KafkaVersion = '4.4.0'): Promise<TestBroker> {
  const socket = connect(inject('kafkaSocket'));
  await once(socket, 'connect');
  socket.end(version);
  const answer = JSON.parse(await text(socket)) as KafkaAnswer;
  if (!('brokers' in answer)) {
    throw new Error(`no Kafka for tests: ${'missing' in answer ? answer.missing : answer.failed}`);
  }
  return { brokers: [...answer.brokers], dataDirs: [...answer.dataDirs] };
}
