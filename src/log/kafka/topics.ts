import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, ITopicMetadata } from 'kafkajs';
import { LegonetError } from '../../errors.js';
import { answered, describeTopic } from './cluster.js';
import { errorType, toLogError } from './errors.js';
import { mismatch, type TopicPlan, violations } from './policy.js';

const LEADER_MS = 60_000;
const POLL_MS = 100;

/**
 * Makes the topics that are not there. Any number of processes may do so at once. Throws
 * `topic_not_made`, or what `toLogError` makes of trouble.
 */
export async function makeTopics(admin: Admin, plans: readonly TopicPlan[]): Promise<void> {
  const there = new Set(await admin.listTopics());
  const absent = plans.filter(({ topic }) => !there.has(topic));
  for (const plan of absent) await makeTopic(admin, plan);
  await waitForLeaders(
    admin,
    absent.map(({ topic }) => topic),
  );
}

async function makeTopic(admin: Admin, plan: TopicPlan): Promise<void> {
  const { topic, partitions, replicationFactor = -1, rules } = plan;
  const configEntries = rules.map(({ name, value }) => ({ name, value }));
  const config = { topic, numPartitions: partitions, replicationFactor, configEntries };
  try {
    // With waitForLeaders it throws now and then although the topic was made.
    await admin.createTopics({ topics: [config], waitForLeaders: false });
  } catch (error) {
    const type = errorType(error);
    if (type === 'TOPIC_ALREADY_EXISTS') return;
    const mapped = toLogError(error, `make topic ${topic}`);
    const final = type !== undefined && /^INVALID_|^POLICY_|_AUTHORIZATION_FAILED$/.test(type);
    if (!final || !(mapped instanceof LegonetError)) throw mapped;
    throw new LegonetError(
      'topic_not_made',
      `Kafka does not make topic ${topic} (${type}): ${advice(type)}, or make it yourself with ` +
        `${rules.map(({ name, value }) => `${name}=${value}`).join(', ')}`,
      'terminal',
      { cause: error },
    );
  }
}

function advice(type: string): string {
  if (type === 'INVALID_REPLICATION_FACTOR') {
    return 'set KAFKA_REPLICATION_FACTOR to no more than there are brokers';
  }
  return type.endsWith('_AUTHORIZATION_FAILED')
    ? 'allow us Create on it'
    : 'change the policy or the setting that forbids it';
}

async function waitForLeaders(admin: Admin, topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    for (let waited = 0; ; waited += POLL_MS) {
      const metadata = await readMetadata(admin, topic).catch(() => null);
      if (metadata?.partitions.every(({ leader }) => leader >= 0)) break;
      if (waited >= LEADER_MS) {
        throw new LegonetError(
          'log_unreachable',
          `topic ${topic} was made and has no leaders yet: look at the brokers' logs`,
          'retryable',
        );
      }
      await sleep(POLL_MS);
    }
  }
}

export async function readMetadata(admin: Admin, topic: string): Promise<ITopicMetadata> {
  const { topics } = await answered(admin.fetchTopicMetadata({ topics: [topic] }));
  const metadata = topics.find(({ name }) => name === topic);
  if (!metadata || metadata.partitions.length === 0) {
    throw new LegonetError(
      'topic_missing',
      `there is no topic ${topic}: restore it, or restart to make an empty one`,
      'stop',
    );
  }
  return metadata;
}

/** What is wrong with a topic, and what mends it. */
export type Fault = { readonly detail: string; readonly remedy: string };
export type TopicState = {
  readonly metadata: ITopicMetadata;
  /** Null: we may not read the topic's settings. */
  readonly settings: ReadonlyMap<string, string> | null;
  readonly faults: readonly Fault[];
};

export async function examineTopic(
  admin: Admin,
  plan: TopicPlan,
  bootstrap: string,
): Promise<TopicState> {
  const { topic, replicationFactor = 0 } = plan;
  const metadata = await readMetadata(admin, topic);
  const settings = await describeTopic(admin, topic);
  const wrong = settings ? violations(plan, settings) : [];
  const replicas = Math.min(...metadata.partitions.map((one) => one.replicas.length));
  const faults: Fault[] = wrong.length > 0 ? [mismatch(topic, wrong, bootstrap)] : [];
  if (replicas < replicationFactor) {
    faults.push({
      detail: `topic ${topic}: ${replicas} replicas, and KAFKA_REPLICATION_FACTOR is ${replicationFactor}`,
      remedy: `kafka-reassign-partitions.sh --bootstrap-server ${bootstrap}, or a lower KAFKA_REPLICATION_FACTOR`,
    });
  }
  return { metadata, settings, faults };
}

/** Throws `topic_mismatch` if a topic is not as it must be. */
export async function checkTopics(
  admin: Admin,
  plans: readonly TopicPlan[],
  bootstrap: string,
): Promise<void> {
  const faults: Fault[] = [];
  for (const plan of plans) faults.push(...(await examineTopic(admin, plan, bootstrap)).faults);
  if (faults.length === 0) return;
  throw new LegonetError(
    'topic_mismatch',
    faults.map(({ detail, remedy }) => `${detail}: ${remedy}`).join('\n'),
  );
}
