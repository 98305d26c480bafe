import { randomBytes } from 'node:crypto';
import type { KafkaLogLine } from '#src/log/kafka/connection.js';
import { KafkaLog, type KafkaLogOptions } from '#src/log/kafka/log.js';
import { readSettings } from '#src/settings.js';

/** In which all that a deadline is made of is a few milliseconds, on the brokers for tests. */
export const QUICK_MS = 1600;

export type LogChoice = {
  readonly deadlineMs?: number;
  /** Settings as an operator gives them. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLog?: (line: KafkaLogLine) => void;
  readonly now?: () => number;
};

/** Options of a log with topics of its own. */
export function logOptions(
  brokers: readonly string[],
  { deadlineMs = QUICK_MS, environment = {}, ...rest }: LogChoice = {},
): KafkaLogOptions {
  const prefix = `test-${randomBytes(6).toString('hex')}.`;
  const { kafka, topics } = readSettings({
    KAFKA_BROKERS: brokers.join(','),
    KAFKA_TOPIC_PREFIX: prefix,
    KAFKA_GROUP_ID: `${prefix}group`,
    KAFKA_PARTITIONS: '3',
    ...environment,
  });
  if (!kafka) throw new Error('expected Kafka in the settings');
  return { kafka, topics, erasureDeadlineMs: deadlineMs, ...rest };
}

/** Logs that are closed together. */
export function logKeeper(): {
  open(options: KafkaLogOptions): Promise<KafkaLog>;
  close(): Promise<void>;
} {
  const logs: KafkaLog[] = [];
  return {
    open: async (options) => {
      const log = await KafkaLog.open(options);
      logs.push(log);
      return log;
    },
    close: async () => {
      await Promise.all(logs.splice(0).map((log) => log.close()));
    },
  };
}
