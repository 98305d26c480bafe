import type { KafkaSettings } from '../../kafka-settings.js';
import type { Topics } from '../../settings.js';

/*
 * What topics must be like, and by when compaction has erased what was deleted. Pure.
 */

const DAY_MS = 86_400_000;
/** A record of the greatest allowed value, with its key, headers and batch. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;

/** How the time until the deadline is shared out, in milliseconds. */
export type ErasurePlan = {
  readonly deadlineMs: number;
  /** The topic's max.compaction.lag.ms: from then on a segment can be rolled and must be cleaned. */
  readonly lagMs: number;
  /** How far the clocks of database, broker and ours may be apart. */
  readonly clockMs: number;
  /** Roll records of a partition are at least so far apart. */
  readonly rollIntervalMs: number;
  /** A partition is read so often to see whether records are gone. */
  readonly verifyIntervalMs: number;
  /** The topic's file.delete.delay.ms; we wait twice as long. */
  readonly fileDeleteDelayMs: number;
  /** For cleaning, reading and a busy machine. */
  readonly slackMs: number;
};

/** `deadlineMs`: from the deletion of a sample until its payload is gone from the brokers' disks. */
export function planErasure(deadlineMs: number): ErasurePlan {
  const share = (parts: number, most = Number.POSITIVE_INFINITY) =>
    Math.max(1, Math.min(most, Math.floor((deadlineMs * parts) / 64)));
  return {
    deadlineMs,
    lagMs: share(16),
    clockMs: share(1, 60_000),
    rollIntervalMs: share(4),
    verifyIntervalMs: share(1, 300_000),
    fileDeleteDelayMs: share(2, 60_000),
    slackMs: share(16),
  };
}

/** What decides on cleaning and is for the brokers to say. */
export type BrokerLimits = {
  readonly cleanerEnabled: boolean;
  /** log.cleaner.backoff.ms */
  readonly backoffMs: number;
};

/** What happens one after the other until a payload is gone, and how long each takes at most. */
const terms = (plan: ErasurePlan, { backoffMs }: BrokerLimits): (readonly [string, number])[] => [
  ['max.compaction.lag.ms', plan.lagMs],
  ['clocks', plan.clockMs],
  ['roll interval', plan.rollIntervalMs],
  ['log.cleaner.backoff.ms', backoffMs],
  ['verification', 2 * plan.verifyIntervalMs],
  ['2 x file.delete.delay.ms', 2 * plan.fileDeleteDelayMs],
  ['slack', plan.slackMs],
];

const total = (plan: ErasurePlan, limits: BrokerLimits): number =>
  terms(plan, limits).reduce((sum, [, milliseconds]) => sum + milliseconds, 0);

/** The arithmetic of the deadline in words. */
export function arithmetic(plan: ErasurePlan, limits: BrokerLimits): string {
  const sum = terms(plan, limits).map(([name, milliseconds]) => `${name} ${milliseconds}`);
  return `${sum.join(' + ')} = ${total(plan, limits)} ms`;
}

/** Why such brokers cannot meet the deadline, with the arithmetic; null if they can. */
export function deadlineShortfall(plan: ErasurePlan, limits: BrokerLimits): string | null {
  if (!limits.cleanerEnabled) {
    return 'log.cleaner.enable is false, so the brokers never erase anything: set it to true';
  }
  const needed = total(plan, limits);
  if (needed <= plan.deadlineMs) return null;
  const room = Math.max(0, plan.deadlineMs - needed + limits.backoffMs);
  return (
    `LEGONET_ERASURE_DEADLINE_MS=${plan.deadlineMs} cannot be met: ${arithmetic(plan, limits)}; ` +
    `set it to ${shortestDeadline(limits)} or more, or log.cleaner.backoff.ms of the brokers to ` +
    `${room} or less`
  );
}

/** In whole seconds. */
function shortestDeadline(limits: BrokerLimits): number {
  const meets = (milliseconds: number) => total(planErasure(milliseconds), limits) <= milliseconds;
  let seconds = 1;
  while (!meets(seconds * 1000)) seconds++;
  return seconds * 1000;
}

/** One setting of a topic: its value where we make it, and what will do where it is there. */
export type TopicRule = {
  readonly name: string;
  readonly value: string;
  readonly must: 'be' | 'be at most' | 'be at least';
};

export type TopicPlan = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number | undefined;
  readonly rules: readonly TopicRule[];
};

const rule = (name: string, must: TopicRule['must'], value: string | number): TopicRule => ({
  name,
  value: String(value),
  must,
});

export function planTopics(
  topics: Topics,
  kafka: Pick<KafkaSettings, 'partitions' | 'replicationFactor' | 'minInsyncReplicas'>,
  erasure: ErasurePlan,
): TopicPlan[] {
  const { partitions, replicationFactor, minInsyncReplicas } = kafka;
  const common = [
    rule('max.message.bytes', 'be at least', MAX_MESSAGE_BYTES),
    // A leader that lacks acknowledged records is no leader.
    rule('unclean.leader.election.enable', 'be', 'false'),
    ...(minInsyncReplicas === undefined
      ? []
      : [rule('min.insync.replicas', 'be at least', minInsyncReplicas)]),
  ];
  const plan = (topic: string, rules: readonly TopicRule[]): TopicPlan => ({
    topic,
    partitions,
    replicationFactor,
    rules: [...rules, ...common],
  });
  return [
    plan(topics.sampleEvents, [
      rule('cleanup.policy', 'be', 'compact'),
      // By the producers' clocks a segment's age is whatever they say.
      rule('message.timestamp.type', 'be', 'LogAppendTime'),
      // Until then what compaction keeps too little of is written once more: see publish/restate.
      rule('min.compaction.lag.ms', 'be at most', Math.floor(erasure.lagMs / 2)),
      rule('max.compaction.lag.ms', 'be at most', erasure.lagMs),
      rule('segment.ms', 'be at most', erasure.lagMs),
      rule('file.delete.delay.ms', 'be at most', erasure.fileDeleteDelayMs),
      // Who reads less often than that misses deletions that are null values.
      rule('delete.retention.ms', 'be at least', DAY_MS),
      // Whatever its producers use, we read it without their libraries, and nothing swells in memory.
      rule('compression.type', 'be', 'uncompressed'),
    ]),
    plan(topics.modelVersions, [
      rule('cleanup.policy', 'be', 'delete'),
      rule('retention.ms', 'be', -1),
      rule('retention.bytes', 'be', -1),
    ]),
    plan(topics.deadLetters, [rule('cleanup.policy', 'be', 'delete')]),
  ];
}

/** What of a topic's settings does not follow the rules. */
export function violations(
  { rules }: TopicPlan,
  actual: ReadonlyMap<string, string>,
): readonly (TopicRule & { readonly is: string })[] {
  return rules.flatMap((one) => {
    const is = actual.get(one.name);
    return is === undefined || follows(one, is) ? [] : [{ ...one, is }];
  });
}

function follows({ must, value }: TopicRule, is: string): boolean {
  if (must === 'be') return is === value;
  // An unlimited time or size is written as -1.
  const limit = (text: string) => (text === '-1' ? Number.POSITIVE_INFINITY : Number(text));
  return must === 'be at most' ? limit(is) <= limit(value) : limit(is) >= limit(value);
}

/** What is, what must be, and the command that mends it. */
export function mismatch(
  topic: string,
  wrong: readonly (TopicRule & { readonly is: string })[],
  bootstrap: string,
): { readonly detail: string; readonly remedy: string } {
  const detail = wrong.map(
    ({ name, is, must, value }) => `${name} is ${is} and must ${must} ${value}`,
  );
  const config = wrong.map(({ name, value }) => `${name}=${value}`).join(',');
  return {
    detail: `topic ${topic}: ${detail.join('; ')}`,
    remedy:
      `kafka-configs.sh --bootstrap-server ${bootstrap} --alter --entity-type topics ` +
      `--entity-name ${topic} --add-config '${config}'`,
  };
}
