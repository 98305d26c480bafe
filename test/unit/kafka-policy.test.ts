import { describe, expect, test } from 'vitest';
import {
  arithmetic,
  deadlineShortfall,
  mismatch,
  planErasure,
  planTopics,
  violations,
} from '#src/log/kafka/policy.js';

const DEFAULTS = { cleanerEnabled: true, backoffMs: 15_000 };
const topics = { sampleEvents: 'e', modelVersions: 'v', deadLetters: 'd' };
const choices = { partitions: 6, replicationFactor: undefined, minInsyncReplicas: undefined };

describe('an erasure deadline', () => {
  test('of a day leaves hours for everything, and keeps the waits of Kafka within a minute', () => {
    expect(planErasure(86_400_000)).toEqual({
      deadlineMs: 86_400_000,
      lagMs: 21_600_000,
      clockMs: 60_000,
      rollIntervalMs: 5_400_000,
      verifyIntervalMs: 300_000,
      fileDeleteDelayMs: 60_000,
      slackMs: 21_600_000,
    });
    expect(deadlineShortfall(planErasure(86_400_000), DEFAULTS)).toBeNull();
  });

  test('is refused with the arithmetic, and with what would do', () => {
    const plan = planErasure(30_000);
    const sum =
      'max.compaction.lag.ms 7500 + clocks 468 + roll interval 1875 + log.cleaner.backoff.ms 15000 + ' +
      'verification 936 + 2 x file.delete.delay.ms 1874 + slack 7500 = 35153 ms';
    expect(arithmetic(plan, DEFAULTS)).toBe(sum);
    const shortfall = deadlineShortfall(plan, DEFAULTS);
    expect(shortfall).toBe(
      `LEGONET_ERASURE_DEADLINE_MS=30000 cannot be met: ${sum}; set it to 46000 or more, or ` +
        'log.cleaner.backoff.ms of the brokers to 9847 or less',
    );
    expect(deadlineShortfall(planErasure(46_000), DEFAULTS)).toBeNull();
    expect(deadlineShortfall(planErasure(45_000), DEFAULTS)).not.toBeNull();
    expect(deadlineShortfall(plan, { ...DEFAULTS, backoffMs: 9847 })).toBeNull();
    expect(deadlineShortfall(plan, { ...DEFAULTS, backoffMs: 9848 })).not.toBeNull();
  });

  test('is met by no broker whose cleaner is off', () => {
    const limits = { ...DEFAULTS, cleanerEnabled: false };
    expect(deadlineShortfall(planErasure(86_400_000), limits)).toContain('log.cleaner.enable');
  });

  test('of any length is more than its parts, none of which is nothing', () => {
    for (let deadlineMs = 1000; deadlineMs < 1e10; deadlineMs = Math.ceil(deadlineMs * 1.7)) {
      const plan = planErasure(deadlineMs);
      expect(Object.values(plan).every((part) => part >= 1 && part <= deadlineMs)).toBe(true);
      expect(deadlineShortfall(plan, { cleanerEnabled: true, backoffMs: 50 })).toBeNull();
    }
  });
});

describe('a topic', () => {
  const [events, versions] = planTopics(topics, choices, planErasure(86_400_000));
  const made = (plan: typeof events) =>
    new Map((plan?.rules ?? []).map(({ name, value }) => [name, value]));

  test('as we make it follows its own rules', () => {
    for (const plan of planTopics(topics, choices, planErasure(1600))) {
      expect(violations(plan, made(plan))).toEqual([]);
    }
  });

  test('may be stricter, and not laxer', () => {
    if (!events || !versions) throw new Error('expected plans');
    const strict = made(events)
      .set('max.compaction.lag.ms', '1')
      .set('delete.retention.ms', '-1')
      .set('max.message.bytes', '99999999');
    expect(violations(events, strict)).toEqual([]);
    const lax = made(events)
      .set('max.compaction.lag.ms', '9223372036854775807')
      .set('message.timestamp.type', 'CreateTime');
    expect(violations(events, lax).map(({ name }) => name)).toEqual([
      'message.timestamp.type',
      'max.compaction.lag.ms',
    ]);
    expect(
      violations(versions, made(versions).set('retention.ms', '604800000')).map(({ is }) => is),
    ).toEqual(['604800000']);
  });

  test('that is wrong is told what is, what must be, and the command that mends it', () => {
    if (!events) throw new Error('expected a plan');
    const wrong = violations(
      events,
      made(events).set('cleanup.policy', 'delete').set('file.delete.delay.ms', '70000'),
    );
    expect(mismatch('e', wrong, 'kafka:9092')).toEqual({
      detail:
        'topic e: cleanup.policy is delete and must be compact; ' +
        'file.delete.delay.ms is 70000 and must be at most 60000',
      remedy:
        'kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name e ' +
        "--add-config 'cleanup.policy=compact,file.delete.delay.ms=60000'",
    });
  });

  test('has as many in-sync replicas as the setting says, if it says so', () => {
    const [plan] = planTopics(topics, { ...choices, minInsyncReplicas: 2 }, planErasure(1600));
    if (!plan) throw new Error('expected a plan');
    expect(violations(plan, new Map([['min.insync.replicas', '1']]))).toHaveLength(1);
    expect(violations(plan, new Map([['min.insync.replicas', '3']]))).toEqual([]);
  });
});
