import type { Admin } from 'kafkajs';
import { LegonetError } from '../../errors.js';
import type { Finding } from '../finding.js';
import { answered, describeLimits } from './cluster.js';
import { arithmetic, deadlineShortfall, type ErasurePlan, type TopicPlan } from './policy.js';
import { examineTopic } from './topics.js';

/** Brokers, topics, replicas and the erasure deadline. What cannot be looked at is a finding, too. */
export async function examineKafka(
  use: <T>(doing: string, work: (admin: Admin) => Promise<T>) => Promise<T>,
  plans: readonly TopicPlan[],
  erasure: ErasurePlan,
  bootstrap: string,
): Promise<Finding[]> {
  const brokers = await finding('kafka', async () => {
    const cluster = await use('reach Kafka', (admin) => answered(admin.describeCluster()));
    const detail = `${cluster.brokers.length} brokers answer at ${bootstrap}`;
    return { ok: true, detail };
  });
  if (!brokers.ok) return [brokers];
  const findings: Finding[] = [brokers];
  for (const plan of plans) {
    findings.push(
      await finding(`topic ${plan.topic}`, () =>
        use(`look at topic ${plan.topic}`, (admin) => topicFinding(admin, plan, bootstrap)),
      ),
    );
  }
  findings.push(
    await finding('erasure deadline', () =>
      use("read the brokers' settings", (admin) => deadlineFinding(admin, erasure)),
    ),
  );
  return findings;
}

type Look = Omit<Finding, 'name'>;

async function finding(name: string, look: () => Promise<Look>): Promise<Finding> {
  try {
    return { name, ...(await look()) };
  } catch (error) {
    const known = error instanceof LegonetError;
    const remedy =
      known && error.code === 'log_unreachable'
        ? 'Bring the brokers back: see docs/operations.md, "Kafka is down".'
        : 'See docs/how-to/kafka.md.';
    return { name, ok: false, detail: known ? error.message : String(error), remedy };
  }
}

async function topicFinding(admin: Admin, plan: TopicPlan, bootstrap: string): Promise<Look> {
  const { metadata, settings, faults } = await examineTopic(admin, plan, bootstrap);
  if (faults.length > 0) {
    return {
      ok: false,
      detail: faults.map(({ detail }) => detail).join('; '),
      remedy: faults.map(({ remedy }) => remedy).join('\n'),
    };
  }
  const { partitions } = metadata;
  const lagging = partitions.filter(({ isr, replicas }) => isr.length < replicas.length);
  const replicas = Math.min(...partitions.map((one) => one.replicas.length));
  if (lagging.length > 0) {
    return {
      ok: false,
      detail: `${lagging.length} of ${partitions.length} partitions have replicas that are not in sync: such a replica keeps what is erased until it is back`,
      remedy: 'Start the broker that is down, or move its replicas and wipe its disk.',
    };
  }
  const policy = settings
    ? 'settings as they must be'
    : 'settings not known, for we may not read them';
  return {
    ok: true,
    detail: `${partitions.length} partitions, ${replicas} replicas in sync, ${policy}`,
  };
}

async function deadlineFinding(admin: Admin, erasure: ErasurePlan): Promise<Look> {
  const limits = await describeLimits(admin);
  if (!limits) {
    return {
      ok: true,
      detail:
        `not known, for we may not read the brokers' settings: see to it that log.cleaner.enable is true ` +
        `and that this holds: ${arithmetic(erasure, UNKNOWN_LIMITS)} <= ${erasure.deadlineMs} ms`,
    };
  }
  const shortfall = deadlineShortfall(erasure, limits);
  if (shortfall) return { ok: false, detail: shortfall, remedy: 'See docs/how-to/kafka.md.' };
  return { ok: true, detail: `${arithmetic(erasure, limits)} <= ${erasure.deadlineMs} ms` };
}

/** Kafka's defaults. */
export const UNKNOWN_LIMITS = { cleanerEnabled: true, backoffMs: 15_000 };
