import type { Kafka, Producer, RecordMetadata } from 'kafkajs';
import kafkajs from 'kafkajs';
import { LegonetError } from '../../errors.js';
import type { NewRecord } from '../event-log.js';
import { PATIENT } from './connection.js';
import { toLogError } from './errors.js';
import { cut, recordSize, toMessage } from './records.js';

/** A send() holds so many records (kafkajs groups them in quadratic time) and bytes, or one record. */
const LIMITS = { items: 1000, size: 900_000 };

export type Placed = { readonly partition: number; readonly record: NewRecord };

/*
 * The one place that produces. kafkajs 2.2.4 loses and doubles records in ways that callers cannot see:
 * - send() of several partitions forgets, when a leader moves, what the new leader has not got (#1303):
 *   acknowledged records are gone. So each send() has the records of one partition, which we name.
 * - Concurrent sends of an idempotent producer get each other's sequence numbers (#1005). So one send()
 *   at a time.
 * - A send() that fails gives its sequence numbers back, also when the broker has written the records:
 *   what is sent next under these numbers would be taken for a repetition, acknowledged and dropped. So
 *   a producer is thrown away once it has failed.
 */
export class OrderedProducer {
  readonly #kafka: Kafka;
  #producer: Promise<Producer> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /**
   * Appends records, each to its partition, in order within a partition; resolves with their positions
   * when all in-sync replicas have them. What failed may be there all the same.
   */
  append(topic: string, records: readonly Placed[]): Promise<bigint[]> {
    const appended = this.#last.then(() => this.#append(topic, records));
    this.#last = appended.catch(() => {});
    return appended;
  }

  async #append(topic: string, records: readonly Placed[]): Promise<bigint[]> {
    const byPartition = new Map<number, number[]>();
    records.forEach(({ partition }, i) => {
      const own = byPartition.get(partition);
      if (own) own.push(i);
      else byPartition.set(partition, [i]);
    });
    const positions: bigint[] = new Array(records.length).fill(-1n);
    const place = (i: number): Placed => records[i] as Placed;
    for (const [partition, indexes] of byPartition) {
      for (const part of cut(indexes, (i) => recordSize(place(i).record), LIMITS)) {
        const messages = part.map((i) => toMessage(place(i).record, partition));
        const first = await this.#send(topic, partition, messages);
        part.forEach((i, nth) => {
          positions[i] = first + BigInt(nth);
        });
      }
    }
    return positions;
  }

  async #send(
    topic: string,
    partition: number,
    messages: ReturnType<typeof toMessage>[],
  ): Promise<bigint> {
    this.#producer ??= this.#open();
    const opening = this.#producer;
    try {
      const producer = await opening;
      const answers = await inTime(producer.send({ topic, messages, acks: -1 }));
      return firstPosition(answers, partition);
    } catch (error) {
      this.#producer = undefined;
      opening.then((producer) => producer.disconnect()).catch(() => {});
      throw toLogError(error, `append to ${topic}`);
    }
  }

  async #open(): Promise<Producer> {
    const producer = this.#kafka.producer({
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      maxInFlightRequests: 1,
      retry: PATIENT,
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect().catch(() => {});
      throw error;
    }
  }

  /** Waits for what is being appended. */
  async close(): Promise<void> {
    await this.#last;
    const producer = await this.#producer?.catch(() => undefined);
    this.#producer = undefined;
    await producer?.disconnect().catch(() => {});
  }
}

/** Longer than a request and its repetitions take: a client that has lost its connection may wait for ever. */
const SEND_MS = 90_000;

async function inTime<T>(sent: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `no broker has answered for ${SEND_MS / 1000} s: it is sent again`;
    const fail = () => reject(new LegonetError('log_unreachable', message, 'retryable'));
    timer = setTimeout(fail, SEND_MS);
  });
  try {
    return await Promise.race([sent, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Where the first record of a send() is, by the broker's own answer. */
function firstPosition(answers: readonly RecordMetadata[], partition: number): bigint {
  const answer = answers.find((one) => one.partition === partition);
  const first = answer?.baseOffset;
  if (answers.length !== 1 || answer?.errorCode !== 0 || first === undefined || first === '-1') {
    throw new LegonetError(
      'log_unreachable',
      `no broker has acknowledged what was sent to partition ${partition}: it is sent again`,
      'retryable',
    );
  }
  return BigInt(first);
}
