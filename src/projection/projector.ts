import { LegonetError } from '../errors.js';
import type { LogRecord } from '../events/record.js';
import type { Batch, EventLog } from '../log/event-log.js';
import type { Queryable } from '../store/database.js';
import { traced } from '../tracing.js';
import { type ApplyOptions, apply, skip } from './apply.js';
import { type Prepared, type PrepareOptions, prepare } from './prepare.js';
import { causesOf } from './traces.js';

export type ProjectorOptions = Omit<ApplyOptions, 'compacts' | 'rewrite' | 'traceparent'> &
  PrepareOptions & {
    readonly log: EventLog;
    readonly topic: string;
    /** Projectors with one group share the partitions of a log that can be shared. */
    readonly group: string;
    /** Told the partitions that this process projects from now on, and no others. */
    readonly onAssigned?: (partitions: readonly number[]) => void;
    /** Told of each batch when it is projected. */
    readonly onBatch?: (batch: Batch) => void;
    /** Told why a partition stands still while the others go on. It is asked again every ten seconds. */
    readonly onStopped?: (error: LegonetError) => void;
  };

const STOPPED_MS = 10_000;

/**
 * Projects the sample events into Postgres, exactly once, until the signal aborts. The next batch is
 * prepared while this one is written; a batch whose raw inputs are being encoded when the signal aborts is dropped, and
 * comes again. Throws what `apply` throws; but where a log has other partitions, one that stops does not end them.
 */
export async function project(options: ProjectorOptions, signal: AbortSignal): Promise<void> {
  const { database, log, topic, group, onAssigned = () => {}, onStopped = () => {} } = options;
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const places = new Places(options, either);
  let applying: Promise<void> = Promise.resolve();
  let leave: ((partition: number, milliseconds: number) => void) | undefined;
  const left = new Set<number>();

  const applyOrLeave = async (batch: Batch, prepared: Promise<Prepared>) => {
    try {
      await places.apply(batch, prepared);
    } catch (error) {
      const isStop = error instanceof LegonetError && error.code === 'partition_stopped';
      if (!isStop || !leave) throw error;
      onStopped(error);
      left.add(batch.partition);
      leave(batch.partition, STOPPED_MS);
    }
  };

  const consuming = log.consume(topic, {
    group,
    signal: either,
    canLeave: (way) => {
      leave = way;
    },
    assigned: onAssigned,
    start: async (partition) => {
      // What is on its way from an earlier assignment moves the offset.
      await applying;
      left.delete(partition);
      return places.begin(partition, await storedOffset(database.pool, partition));
    },
    handle: async (batch) => {
      const prepared = prepare(options, batch.records, either);
      prepared.catch(() => {});
      await applying;
      // Behind the record that stops its partition: it comes again when that one is passed.
      if (left.has(batch.partition)) return;
      applying = applyOrLeave(batch, prepared);
      applying.catch(() => failed.abort());
      await prepared;
    },
  });
  try {
    await consuming;
    await applying;
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  }
}

async function storedOffset(client: Queryable, partition: number): Promise<bigint> {
  const { rows } = await client.query<{ position: bigint }>(
    'SELECT position FROM offsets WHERE partition = $1',
    [partition],
  );
  return rows[0]?.position ?? 0n;
}

/** Where each partition's projection stands, as this process knows. */
class Places {
  readonly #options: ProjectorOptions;
  readonly #signal: AbortSignal;
  readonly #next = new Map<number, bigint>();

  constructor(options: ProjectorOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  begin(partition: number, position: bigint): bigint {
    this.#next.set(partition, position);
    return position;
  }

  async apply(batch: Batch, prepared: Promise<Prepared>): Promise<void> {
    const { partition, records, next: end } = batch;
    const { onBatch = () => {} } = this.#options;
    let rest = records;
    let work = prepared;
    const goOnFrom = (position: bigint) => {
      this.#next.set(partition, position);
      rest = rest.filter((record) => record.position >= position);
    };
    while (rest.length > 0) {
      const next = this.#next.get(partition) ?? 0n;
      if (first(rest) < next) goOnFrom(next);
      else goOnFrom(await this.#step(partition, next, await work));
      // Records are left when others had come further, or an operator has let it go past a deletion.
      if (rest.length > 0) work = prepare(this.#options, rest, this.#signal);
    }
    const next = this.#next.get(partition) ?? 0n;
    if (next < end) {
      await skip(this.#options, { partition, next }, end);
      this.#next.set(partition, end);
    }
    onBatch(batch);
  }

  /** Returns the next position. */
  async #step(partition: number, next: bigint, prepared: Prepared): Promise<bigint> {
    const { log, topic, group } = this.#options;
    const options = { ...this.#options, ...logOptions(log, topic) };
    const { items, stopping } = prepared;
    const count = items.length + (stopping ? 1 : 0);
    const messages = { system: log.system, topic, partition, group, count };
    const span = { name: 'project', causes: causesOf(items), messages } as const;
    try {
      return await traced(span, ({ traceparent }) =>
        apply({ ...options, traceparent }, { partition, next }, prepared),
      );
    } catch (error) {
      if (!(error instanceof LegonetError) || error.code !== 'offset_moved') throw error;
      const position = await storedOffset(options.database.pool, partition);
      // Before a rebalance another process had the partition, and may have finished what it had begun.
      if (position > next) return position;
      throw error;
    }
  }
}

/** How what it projects is forgotten or kept by the log. */
export function logOptions(
  log: EventLog,
  topic: string,
): Pick<ApplyOptions, 'compacts' | 'rewrite'> {
  const { compacts } = log;
  if (compacts || !log.rewrite) return { compacts };
  return { compacts, rewrite: async (client, records) => log.rewrite?.(client, topic, records) };
}

const first = (records: readonly LogRecord[]): bigint => records[0]?.position ?? 0n;
