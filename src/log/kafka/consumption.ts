import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { LegonetError } from '../../errors.js';
import type { LogRecord } from '../../events/record.js';
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_RECORDS } from '../event-log.js';
import {
  createConsumer,
  heartbeatMs,
  type KafkaLogLine,
  waitForCoordinator,
} from './connection.js';
import type { ConsumeOptions } from './consume-options.js';
import { readMarked, withMarks } from './decoding.js';
import { OUT_OF_RANGE, toLogError } from './errors.js';
import { soon, Trouble, withHeartbeats } from './heartbeats.js';
import { commitPlaces, type Place } from './places.js';
import { inside, truncated } from './ranges.js';
import { cut, toLogRecord } from './records.js';

const WATCH_MS = 5000;
const COMMIT_MS = 5000;
/** Without a sign of life from kafkajs for so long it is stuck, whatever it says of itself. */
const SILENCE_MS = 120_000;

/**
 * One consumption by a consumer group of kafkajs. Positions come from `start`, never from Kafka: a
 * partition is paused the moment it is assigned, and resumed at the position that `start` says. A batch is
 * handled only if it was fetched at exactly the position that comes next; any other is dropped and the
 * consumer sent back, so neither an old batch nor a reset of kafkajs's can skip a record.
 */
export class GroupConsumption {
  readonly #options: ConsumeOptions;
  readonly #consumer: Consumer;
  readonly #places = new Map<number, Place>();
  readonly #outOfRange = new Set<Place>();
  readonly #ended = new AbortController();
  #generation = 0;
  #handling: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #lastSign = performance.now();

  constructor(connect: (onLog: (line: KafkaLogLine) => void) => Kafka, options: ConsumeOptions) {
    this.#options = options;
    const kafka = connect((line) => this.#hear(line));
    this.#consumer = createConsumer(kafka, options.groupId, options.sessionMs);
  }

  /** Resolves when the signal aborts; rejects with what `start` or `handle` rejected with, or trouble. */
  async run(): Promise<void> {
    const { signal, topic } = this.#options;
    if (signal.aborted) return;
    this.#options.canLeave?.((partition, ms) => this.#leavePartition(partition, ms));
    const end = () => this.#ended.abort();
    signal.addEventListener('abort', end, { once: true });
    const ended = new Promise<void>((resolve) => {
      this.#ended.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const timers = [
      setInterval(() => this.#watch(), WATCH_MS),
      setInterval(() => void this.#commit(), COMMIT_MS),
    ];
    const joining = this.#join().catch((error) => this.#fail(error));
    await ended;
    for (const timer of timers) clearInterval(timer);
    signal.removeEventListener('abort', end);
    await this.#leave(joining);
    if (this.#failure) throw toLogError(this.#failure.error, `read ${topic}`);
  }

  async #join(): Promise<void> {
    const consumer = this.#consumer;
    const { topic } = this.#options;
    const { GROUP_JOIN, CRASH, FETCH, HEARTBEAT } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => this.#assign(payload.memberAssignment[topic] ?? []));
    consumer.on(CRASH, ({ payload }) => this.#fail(payload.error));
    consumer.on(FETCH, () => this.#sign());
    consumer.on(HEARTBEAT, () => this.#sign());
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await waitForCoordinator(consumer, this.#ended.signal);
    if (this.#ended.signal.aborted) return;
    await withMarks(() =>
      consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.#receive(payload),
      }),
    );
  }

  /** Leaves the group. Where kafkajs takes longer than it may, it goes on by itself. */
  async #leave(joining: Promise<void>): Promise<void> {
    await this.#handling.catch(() => {});
    const left = joining
      .then(() => this.#commit())
      .then(() => this.#consumer.disconnect())
      .catch(() => {});
    await soon(left);
  }

  /**
   * Called by kafkajs in the very moment of assignment, before anything is fetched: what happens here
   * must happen at once, or records are fetched from wherever Kafka's own offsets are.
   */
  #assign(partitions: readonly number[]): void {
    this.#sign();
    this.#places.clear();
    this.#outOfRange.clear();
    const generation = ++this.#generation;
    const { topic, assigned } = this.#options;
    this.#consumer.pause([{ topic, partitions: [...partitions] }]);
    assigned?.(partitions);
    this.#begin(partitions, generation).catch((error) => this.#fail(error));
  }

  /** Takes the partition up again after a while, if it is still ours then. */
  #leavePartition(partition: number, milliseconds: number): void {
    const { topic } = this.#options;
    const generation = this.#generation;
    if (!this.#places.delete(partition)) return;
    this.#consumer.pause([{ topic, partitions: [partition] }]);
    sleep(milliseconds, undefined, { signal: this.#ended.signal })
      .then(() => this.#begin([partition], generation))
      .catch((error) => this.#fail(error));
  }

  async #begin(partitions: readonly number[], generation: number): Promise<void> {
    const { topic, start, ends } = this.#options;
    const isOver = () => generation !== this.#generation || this.#ended.signal.aborted;
    // What is being handled may be a batch of these partitions, taken away and given back.
    await this.#handling.catch(() => {});
    const starts = new Map<number, bigint>();
    for (const partition of partitions) {
      if (isOver()) return;
      const from = await start(partition);
      if (from !== null) starts.set(partition, from);
    }
    // Looked up after all starts: others may have read on until just now.
    const ranges = starts.size > 0 ? await ends() : new Map();
    if (isOver()) return;
    for (const [partition, from] of starts) {
      const cursor = inside(topic, partition, from, ranges.get(partition));
      this.#places.set(partition, { partition, cursor, committed: -1n });
      this.#consumer.seek({ topic, partition, offset: String(cursor) });
      this.#consumer.resume([{ topic, partitions: [partition] }]);
    }
  }

  async #receive(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const place = this.#places.get(batch.partition);
    if (!place || !this.#holds(place)) return;
    const { fetchedOffset } = batch as typeof batch & { readonly fetchedOffset: string };
    try {
      if (BigInt(fetchedOffset) === place.cursor) await this.#accept(payload, place);
      else await this.#goBack(place);
    } catch (error) {
      if (error instanceof Trouble) throw error.cause;
      this.#fail(error);
    }
  }

  async #accept(payload: EachBatchPayload, place: Place): Promise<void> {
    const { maxRecords = DEFAULT_MAX_RECORDS, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    const { partition } = place;
    const { messages, next } = readMarked(payload);
    const limits = { items: maxRecords, size: maxBytes };
    for (const part of cut(messages, ({ value }) => value?.length ?? 0, limits)) {
      if (!this.#holds(place)) return;
      const records = part.map((message) => toLogRecord(partition, message));
      const last = records.at(-1)?.position ?? place.cursor - 1n;
      await this.#hand(payload, place, records, last + 1n);
    }
    // Compaction has taken what was last: the consumer goes past it, or lags for ever.
    if (this.#holds(place) && place.cursor < next) await this.#hand(payload, place, [], next);
    if (!this.#holds(place)) return;
    payload.resolveOffset(String(next - 1n));
    if (this.#options.onProgress?.(partition, next) === false)
      this.#consumer.pause([{ topic: this.#options.topic, partitions: [partition] }]);
  }

  async #hand(
    { heartbeat }: EachBatchPayload,
    place: Place,
    records: readonly LogRecord[],
    next: bigint,
  ): Promise<void> {
    const { partition } = place;
    const handling = this.#options.handle({ partition, records, next }).then(() => {
      // Whatever the group has to say after it: this part is done.
      place.cursor = next;
    });
    this.#handling = handling;
    await withHeartbeats(heartbeat, heartbeatMs(this.#options.sessionMs), handling);
    this.#sign();
  }

  #holds(place: Place): boolean {
    return this.#places.get(place.partition) === place && !this.#ended.signal.aborted;
  }

  /** Something else was fetched than what comes next: it is dropped, and fetched again from there. */
  async #goBack(place: Place): Promise<void> {
    const { topic, ends } = this.#options;
    const { partition } = place;
    const range = (await ends()).get(partition);
    if (!this.#holds(place)) return;
    const cursor = inside(topic, partition, place.cursor, range);
    // The brokers did not have the position, and it is not one of the past: the topic is another one.
    if (this.#outOfRange.delete(place) && cursor === place.cursor) {
      throw truncated(topic, partition, cursor, range);
    }
    place.cursor = cursor;
    this.#consumer.seek({ topic, partition, offset: String(cursor) });
  }

  /** That it has put a consumer somewhere else kafkajs says nowhere but in its log. */
  #hear(line: KafkaLogLine): void {
    const { partition } = line.about;
    const place = typeof partition === 'number' ? this.#places.get(partition) : undefined;
    if (place && line.message.includes(OUT_OF_RANGE)) {
      this.#outOfRange.add(place);
      this.#goBack(place).catch((error) => this.#fail(error));
    }
    this.#options.onLog(line);
  }

  #sign(): void {
    this.#lastSign = performance.now();
  }

  #watch(): void {
    if (performance.now() - this.#lastSign < SILENCE_MS) return;
    const message = `no sign of the brokers for ${SILENCE_MS / 1000} s: reading is begun again`;
    this.#fail(new LegonetError('log_unreachable', message, 'retryable'));
  }

  async #commit(): Promise<void> {
    const { topic, commits } = this.#options;
    if (commits) await commitPlaces(this.#consumer, topic, [...this.#places.values()]);
  }

  #fail(error: unknown): void {
    if (!this.#ended.signal.aborted) this.#failure ??= { error };
    this.#ended.abort();
  }
}
