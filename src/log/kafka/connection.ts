import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, Kafka, SASLOptions } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { KafkaSettings } from '../../kafka-settings.js';
import { errorType } from './errors.js';

export type Connection = Pick<KafkaSettings, 'brokers' | 'sasl' | 'ssl'>;

/** A line of kafkajs's own log: no record and no key is in it. */
export type KafkaLogLine = {
  readonly level: 'error' | 'warn';
  readonly message: string;
  /** What it is about: broker, topic, partition, group. */
  readonly about: Readonly<Record<string, string | number>>;
};

/** For what the brokers answer with trouble. All given: kafkajs has others under NODE_ENV=test. */
export const PATIENT = {
  retries: 30,
  initialRetryTime: 100,
  maxRetryTime: 3000,
  factor: 0.2,
  multiplier: 2,
} as const;

/** For what somebody waits for, or is done again anyway. */
export const BRIEF = { ...PATIENT, retries: 6 } as const;

const { logLevel } = kafkajs;
const LEVELS: ReadonlyMap<number, KafkaLogLine['level']> = new Map([
  [logLevel.ERROR, 'error'],
  [logLevel.WARN, 'warn'],
] as const);
const ABOUT = ['broker', 'topic', 'partition', 'groupId', 'retryCount', 'error'];

/** A client of kafkajs that says what it has to say to `onLog` and nothing to the console. */
export function createClient(
  { brokers, sasl, ssl }: Connection,
  onLog: (line: KafkaLogLine) => void,
): Kafka {
  return new kafkajs.Kafka({
    clientId: 'legonet',
    brokers: [...brokers],
    ssl: ssl ? { ...ssl } : false,
    ...(sasl && { sasl: { ...sasl } as SASLOptions }),
    connectionTimeout: 3000,
    authenticationTimeout: 10_000,
    requestTimeout: 30_000,
    retry: BRIEF,
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ level, namespace, log }) => {
        const known = LEVELS.get(level);
        // A producer that has failed is thrown away, so this does not hold for ours.
        if (!known || log.message.startsWith('Limiting retries')) return;
        const about = ABOUT.flatMap((name) => {
          const value: unknown = log[name];
          return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : [];
        });
        const message = namespace ? `[${namespace}] ${log.message}` : log.message;
        onLog({ level: known, message, about: Object.fromEntries(about) });
      },
  });
}

const LONGEST_HEARTBEAT_MS = 1000;

/** How often a member of a group shows that it lives: several may be lost before its session is. */
export const heartbeatMs = (sessionMs: number): number =>
  Math.min(LONGEST_HEARTBEAT_MS, Math.floor(sessionMs / 5));

/** A consumer that holds little in memory, and hears soon of pauses, aborts and rebalances. */
export const createConsumer = (kafka: Kafka, groupId: string, sessionMs: number): Consumer =>
  kafka.consumer({
    groupId,
    sessionTimeout: sessionMs,
    rebalanceTimeout: 60_000,
    heartbeatInterval: heartbeatMs(sessionMs),
    maxWaitTimeInMs: 100,
    minBytes: 1,
    maxBytes: 8 * 1024 * 1024,
    maxBytesPerPartition: 2 * 1024 * 1024,
    // A crash is reported to whoever consumes; they know what to do.
    retry: { ...BRIEF, retries: 8, restartOnFailure: async () => false },
  });

const LOADING = ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE'];
const LOADING_MS = { longest: 30_000, pause: 200 };

/** A coordinator that has just begun is a crash to a consumer that joins: it is waited for. */
export async function waitForCoordinator(consumer: Consumer, signal: AbortSignal): Promise<void> {
  for (let waited = 0; !signal.aborted; waited += LOADING_MS.pause) {
    try {
      await consumer.describeGroup();
      return;
    } catch (error) {
      const isLoading = LOADING.includes(errorType(error) ?? '');
      if (!isLoading || waited >= LOADING_MS.longest) throw error;
      await sleep(LOADING_MS.pause);
    }
  }
}
