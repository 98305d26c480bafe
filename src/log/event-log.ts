import type { LogRecord } from '../events/record.js';
import type { Queryable } from '../store/database.js';
import type { Finding } from './finding.js';

/** A record to append. A null value is a deletion of the key; `time` defaults to the log's clock. */
export type NewRecord = {
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where it must go; without it, the key decides. */
  readonly partition?: number;
};

/** Where a record is. */
export type Place = { readonly partition: number; readonly position: bigint };

/** Consecutive records of one partition; positions may have gaps where records were erased. */
export type Batch = {
  readonly partition: number;
  /** None, where all that was there is erased. */
  readonly records: readonly LogRecord[];
  /** Where to go on: nothing is left between the last record and this position. */
  readonly next: bigint;
};

export type Consumption = {
  /**
   * Consumers with one group share the partitions, and get them from each other when one comes or goes;
   * one without a group reads all.
   */
  readonly group?: string;
  /** Told the partitions to be read from now on, and no others, each time that changes. */
  assigned?(partitions: readonly number[]): void;
  /**
   * Where to begin in a partition: the next position that the consumer has not stored. Asked each time
   * the partition is assigned.
   */
  start(partition: number): Promise<bigint>;
  /** Called for one batch at a time, in order within a partition. Its rejection ends the consumption. */
  handle(batch: Batch): Promise<void>;
  /**
   * Given, before anything is handled, a way to leave a partition for so many milliseconds while the
   * others go on; then `start` is asked again. Only by logs that have several partitions.
   */
  canLeave?(leave: (partition: number, milliseconds: number) => void): void;
  readonly signal: AbortSignal;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
};

/** What is to be erased: every record of a key in one partition before the log's own deletion, or restatement. */
export type Erasure = {
  readonly key: string;
  readonly partition: number;
  /** No record of the key is before it, unless an earlier deletion of the log's own. */
  readonly first: bigint;
  /**
   * Makes the log's own deletion record, to be written under the key: it holds nothing personal but the
   * id. Asked only while it is not declared, of thousands that are looked at again and again.
   */
  record(): Omit<NewRecord, 'key'>;
  /**
   * Where that record is and when it was written; null as long as it is not. Of a raw input it is the sample's own
   * record with the encoding, and stays.
   */
  readonly declared: { readonly position: bigint; readonly at: Date } | null;
};

/** How far an erasure has come: its deletion is written, or nothing else of the key is left. */
export type ErasureProgress = Pick<Erasure, 'key' | 'partition'> & {
  readonly declared: bigint;
  readonly erased: boolean;
};

/** An append-only log of records in topics of one or more partitions. */
export interface EventLog {
  /** What it is, as OpenTelemetry names messaging systems. */
  readonly system: string;
  /** Whether it keeps only the last record of each key, sooner or later. */
  readonly compacts: boolean;
  /** Whether consumers with one group share its partitions; else one consumer at a time must do. */
  readonly shares: boolean;
  /** Makes what the log needs, or checks it; throws what an operator has to mend. */
  prepare?(): Promise<void>;
  /**
   * Resolves when the records are durable, with the place of each in the records' order. Records of one
   * call with one key keep their order.
   */
  append(topic: string, records: readonly NewRecord[]): Promise<readonly Place[]>;
  /** The position after the last record, by partition. */
  ends(topic: string): Promise<ReadonlyMap<number, bigint>>;
  /** Reads on from where the consumer is and waits for more, until the signal aborts. */
  consume(topic: string, consumption: Consumption): Promise<void>;
  /**
   * Takes erasures a step further and tells which of them moved; call it again until all are erased. The
   * fact of each deletion stays in the log. Idempotent. `read` is the next position of the consumer, by
   * partition: what it has not seen yet may be more than a payload, and stays.
   */
  erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<readonly ErasureProgress[]>;
  /**
   * Puts other values and headers in the places of records, in a transaction of the projection: what was
   * there is gone with its commit. Only by a log that keeps all its records, and in the same database.
   */
  rewrite?(client: Queryable, topic: string, records: readonly LogRecord[]): Promise<void>;
  /** What an operator should know of it, where it has more to it than the database. */
  examine?(): Promise<readonly Finding[]>;
  close(): Promise<void>;
}

export const DEFAULT_MAX_RECORDS = 4000;
export const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
