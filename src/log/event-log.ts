import type { LogRecord } from '../events/record.js';

/** A record to append. A null value is a deletion of the key; `time` defaults to the log's clock. */
export type NewRecord = {
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Consecutive records of one partition; positions may have gaps where records were erased. */
export type Batch = {
  readonly partition: number;
  readonly records: readonly LogRecord[];
};

export type Consumption = {
  /** Where to begin in a partition: the next position that the consumer has not stored. */
  start(partition: number): Promise<bigint>;
  /** Called for one batch at a time, in order within a partition. Its rejection ends the consumption. */
  handle(batch: Batch): Promise<void>;
  readonly signal: AbortSignal;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
};

/** On a deletion record that the log itself wrote: the request that it reminds of. */
export const REQUEST_HEADER = 'legonet_request_id';

/** A payload to erase: every record of `key` but its deletion, which is written if there is none. */
export type Erasure = {
  readonly key: string;
  /** The request that it meets, for the deletion record. */
  readonly requestId: string;
  readonly deletion: { readonly partition: number; readonly position: bigint } | null;
};

/** An append-only log of records in topics of one or more partitions. */
export interface EventLog {
  /** Resolves when the records are durable. Records of one call with one key keep their order. */
  append(topic: string, records: readonly NewRecord[]): Promise<void>;
  /** The position after the last record, by partition. */
  ends(topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Reads on from where the consumer is and waits for more, until the signal aborts. */
  consume(topic: string, consumption: Consumption): Promise<void>;
  /**
   * Erases payloads; the fact of each deletion stays in the log. Idempotent. `read` is the next position
   * of the consumer, by partition: what it has not seen yet may be more than a payload, and stays.
   */
  erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<void>;
  close(): Promise<void>;
}

export const DEFAULT_MAX_RECORDS = 2000;
export const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
