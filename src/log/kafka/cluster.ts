import type { Admin, ConfigResourceTypes } from 'kafkajs';
import kafkajs from 'kafkajs';
import { isDenied } from './errors.js';
import type { BrokerLimits } from './policy.js';
import type { Ranges } from './ranges.js';

/** Where no broker has answered, kafkajs 2.2.4 reads its answer all the same: a TypeError, which is not ours. */
export async function answered<T>(metadata: Promise<T>): Promise<T> {
  try {
    return await metadata;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new kafkajs.KafkaJSError('no broker answers');
  }
}

/** Settings by name; null if we may not read them. */
export async function describeTopic(
  admin: Admin,
  topic: string,
): Promise<ReadonlyMap<string, string> | null> {
  return describe(admin, kafkajs.ConfigResourceTypes.TOPIC, topic);
}

async function describe(
  admin: Admin,
  type: ConfigResourceTypes,
  name: string,
): Promise<ReadonlyMap<string, string> | null> {
  try {
    const { resources } = await admin.describeConfigs({
      resources: [{ type, name }],
      includeSynonyms: false,
    });
    const entries = resources.flatMap(({ configEntries }) => configEntries);
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    if (isDenied(error)) return null;
    throw error;
  }
}

/** The slowest of the brokers in what decides on cleaning; null if we may not read their settings. */
export async function describeLimits(admin: Admin): Promise<BrokerLimits | null> {
  const { brokers } = await answered(admin.describeCluster());
  const limits: BrokerLimits[] = [];
  for (const { nodeId } of brokers) {
    const settings = await describe(admin, kafkajs.ConfigResourceTypes.BROKER, String(nodeId));
    if (!settings) return null;
    limits.push({
      cleanerEnabled: settings.get('log.cleaner.enable') !== 'false',
      backoffMs: Number(settings.get('log.cleaner.backoff.ms') ?? 15_000),
    });
  }
  return {
    cleanerEnabled: limits.every(({ cleanerEnabled }) => cleanerEnabled),
    backoffMs: Math.max(0, ...limits.map(({ backoffMs }) => backoffMs)),
  };
}

export async function fetchRanges(admin: Admin, topic: string): Promise<Ranges> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(
    offsets.map(({ partition, low, high }) => [
      partition,
      { low: BigInt(low), high: BigInt(high) },
    ]),
  );
}
