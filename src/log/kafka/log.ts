import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { LegonetError } from '../../errors.js';
import type { KafkaSettings } from '../../kafka-settings.js';
import type { Topics } from '../../settings.js';
import type {
  Consumption,
  Erasure,
  ErasureProgress,
  EventLog,
  NewRecord,
  Place,
} from '../event-log.js';
import type { Finding } from '../finding.js';
import { SharedAdmin } from './admin.js';
import { describeLimits, fetchRanges } from './cluster.js';
import { createClient, type KafkaLogLine } from './connection.js';
import type { ConsumeOptions } from './consume-options.js';
import { GroupConsumption } from './consumption.js';
import { Erasing } from './erasing.js';
import { examineKafka, UNKNOWN_LIMITS } from './examine.js';
import { createPartitioning } from './partitioning.js';
import {
  type BrokerLimits,
  deadlineShortfall,
  type ErasurePlan,
  MAX_MESSAGE_BYTES,
  planErasure,
  planTopics,
  type TopicPlan,
} from './policy.js';
import { OrderedProducer } from './producer.js';
import type { Ranges } from './ranges.js';
import { recordSize } from './records.js';
import { checkTopics, makeTopics, readMetadata } from './topics.js';
import { findGone } from './verification.js';

export type KafkaLogOptions = {
  readonly kafka: KafkaSettings;
  readonly topics: Topics;
  readonly erasureDeadlineMs: number;
  readonly onLog?: (line: KafkaLogLine) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

/** What a batch takes besides its records. */
const BATCH_OVERHEAD = 128;
/** Partitions can be added to a topic; they are looked up again after this long. */
const METADATA_MS = 60_000;

/** The event log on Kafka. */
export class KafkaLog implements EventLog {
  readonly system = 'kafka';
  readonly compacts = true;
  readonly shares = true;
  readonly #options: Required<KafkaLogOptions>;
  readonly #connect: (onLog: (line: KafkaLogLine) => void) => Kafka;
  readonly #admin: SharedAdmin;
  readonly #producer: OrderedProducer;
  readonly #erasure: ErasurePlan;
  readonly #plans: readonly TopicPlan[];
  readonly #erasings = new Map<string, Erasing>();
  readonly #counts = new Map<string, { readonly count: Promise<number>; readonly at: number }>();
  readonly #deletions = new Set<Promise<unknown>>();
  readonly #partitionOf = createPartitioning();
  #limits: BrokerLimits = UNKNOWN_LIMITS;

  constructor(options: KafkaLogOptions) {
    const { kafka, topics, erasureDeadlineMs, onLog = () => {}, now = Date.now } = options;
    this.#options = { kafka, topics, erasureDeadlineMs, onLog, now };
    this.#connect = (hear) => createClient(kafka, hear);
    const client = this.#connect(onLog);
    this.#admin = new SharedAdmin(client);
    this.#producer = new OrderedProducer(client);
    this.#erasure = planErasure(erasureDeadlineMs);
    this.#plans = planTopics(topics, kafka, this.#erasure);
  }

  /** Ready for use, or closed again if `prepare` throws. */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const log = new KafkaLog(options);
    try {
      await log.prepare();
      return log;
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /**
   * Makes topics that are not there and checks those that are. Throws `topic_not_made`, `topic_mismatch`,
   * `erasure_deadline` if the brokers cannot meet it, `log_denied`, `log_unreachable`.
   */
  async prepare(): Promise<void> {
    await this.#admin.use('reach Kafka', async (admin) => {
      const limits = await describeLimits(admin);
      const shortfall = limits && deadlineShortfall(this.#erasure, limits);
      if (shortfall) throw new LegonetError('erasure_deadline', shortfall);
      if (limits) this.#limits = limits;
      else this.#options.onLog({ level: 'warn', message: UNREADABLE, about: {} });
      await makeTopics(admin, this.#plans);
      await checkTopics(admin, this.#plans, this.#bootstrap);
    });
  }

  get #bootstrap(): string {
    return this.#options.kafka.brokers.join(',');
  }

  /** What an operator should know of brokers, topics, replication and the erasure deadline. */
  examine(): Promise<Finding[]> {
    const admin = this.#admin;
    return examineKafka(admin.use.bind(admin), this.#plans, this.#erasure, this.#bootstrap);
  }

  /** Throws `record_key_missing` or `record_too_large` before anything is appended, or trouble. */
  async append(topic: string, records: readonly NewRecord[]): Promise<Place[]> {
    if (records.length === 0) return [];
    for (const record of records) this.#check(topic, record);
    const count = await this.#countPartitions(topic);
    const placed = records.map((record) => {
      return { record, partition: record.partition ?? this.#partitionOf(topic, record.key, count) };
    });
    const positions = await this.#producer.append(topic, placed);
    return placed.map(({ partition }, i) => ({ partition, position: positions[i] as bigint }));
  }

  #check(topic: string, record: NewRecord): void {
    if (record.key === null && topic === this.#options.topics.sampleEvents) {
      throw new LegonetError(
        'record_key_missing',
        `${topic} is compacted and takes no record without a key: give the sample's id as its key`,
      );
    }
    const size = recordSize(record);
    if (size > MAX_MESSAGE_BYTES - BATCH_OVERHEAD) {
      throw new LegonetError(
        'record_too_large',
        `a record of ${size} bytes is more than ${topic} takes, ${MAX_MESSAGE_BYTES}: make it smaller`,
      );
    }
  }

  #countPartitions(topic: string): Promise<number> {
    const now = this.#options.now();
    const known = this.#counts.get(topic);
    if (known && now - known.at < METADATA_MS) return known.count;
    const count = this.#admin.use(`look up topic ${topic}`, async (admin) => {
      return (await readMetadata(admin, topic)).partitions.length;
    });
    this.#counts.set(topic, { count, at: now });
    count.catch(() => this.#counts.delete(topic));
    return count;
  }

  async ends(topic: string): Promise<ReadonlyMap<number, bigint>> {
    const ranges = await this.#ranges(topic);
    return new Map([...ranges].map(([partition, { high }]) => [partition, high]));
  }

  #ranges(topic: string): Promise<Ranges> {
    return this.#admin.use(`look up topic ${topic}`, (admin) => fetchRanges(admin, topic));
  }

  /**
   * A group is called in Kafka KAFKA_GROUP_ID, a hyphen and its name. Throws what `start` or `handle`
   * throws, `log_truncated`, `log_unreadable`, `log_denied`, `log_unreachable`.
   */
  async consume(topic: string, { group, ...consumption }: Consumption): Promise<void> {
    const { groupId } = this.#options.kafka;
    const name = `${groupId}-${group ?? `reader-${randomUUID()}`}`;
    try {
      await this.#consume(topic, { ...consumption, groupId: name, commits: group !== undefined });
    } finally {
      if (group === undefined) this.#deleteGroup(name);
    }
  }

  #consume(
    topic: string,
    options: Omit<ConsumeOptions, 'topic' | 'sessionMs' | 'ends' | 'onLog'>,
  ): Promise<void> {
    const ends = () => this.#ranges(topic);
    const { kafka, onLog } = this.#options;
    const sessionMs = kafka.sessionTimeoutMs;
    const all = { ...options, topic, sessionMs, ends, onLog };
    return new GroupConsumption(this.#connect, all).run();
  }

  /** In the background, and a hint only: a group without members and offsets goes by itself. */
  #deleteGroup(name: string): void {
    const deletion = this.#admin
      .use(`delete group ${name}`, (admin) => admin.deleteGroups([name]))
      .catch(() => {})
      .finally(() => this.#deletions.delete(deletion));
    this.#deletions.add(deletion);
  }

  async erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<readonly ErasureProgress[]> {
    return erasures.length === 0 ? [] : this.#erasing(topic).step(erasures, read);
  }

  #erasing(topic: string): Erasing {
    const known = this.#erasings.get(topic);
    if (known) return known;
    const { kafka, now, onLog } = this.#options;
    const groupId = `${kafka.groupId}-verify`;
    const erasing = new Erasing({
      plan: this.#erasure,
      backoffMs: () => this.#limits.backoffMs,
      now,
      append: (records) => this.#producer.append(topic, records),
      ends: () => this.ends(topic),
      findGone: (due, signal) =>
        findGone(due, (read) => this.#consume(topic, { ...read, groupId, commits: false }), signal),
      onLog,
    });
    this.#erasings.set(topic, erasing);
    return erasing;
  }

  /** Consumptions are ended by their own signals, before. */
  async close(): Promise<void> {
    await Promise.all([...this.#erasings.values()].map((erasing) => erasing.close()));
    await this.#producer.close();
    await Promise.all(this.#deletions);
    await this.#admin.close();
  }
}

const UNREADABLE =
  'we may not read the settings of the brokers, so whether they meet the erasure deadline is not known';
