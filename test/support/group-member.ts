import type { LogRecord } from '#src/events/record.js';
import type { Batch, EventLog } from '#src/log/event-log.js';

/** Positions and records as a database would have them, shared by the members of a group. */
export class SharedStore {
  readonly records: LogRecord[] = [];
  readonly #next = new Map<number, bigint>();

  next(partition: number): bigint {
    return this.#next.get(partition) ?? 0n;
  }

  /** Takes what is not taken yet. What is older belongs to a member that has lost the partition. */
  take({ partition, records }: Batch): void {
    for (const record of records) {
      if (record.position < this.next(partition)) continue;
      this.records.push(record);
      this.#next.set(partition, record.position + 1n);
    }
  }
}

/** A consumer of a group, running until it leaves. */
export class Member {
  /** Partitions of which it has been given records since it was last asked. */
  readonly seen = new Set<number>();
  /** Where it was told to begin, in the order in which it asked. */
  readonly starts: { readonly partition: number; readonly position: bigint }[] = [];
  /** What it was told that it reads. */
  assigned: readonly number[] = [];
  readonly #leaving = new AbortController();
  readonly #running: Promise<void>;

  constructor(log: EventLog, topic: string, store: SharedStore, handled = async () => {}) {
    this.#running = log.consume(topic, {
      group: 'members',
      signal: this.#leaving.signal,
      assigned: (partitions) => {
        this.assigned = partitions;
      },
      start: async (partition) => {
        const position = store.next(partition);
        this.starts.push({ partition, position });
        return position;
      },
      handle: async (batch) => {
        this.seen.add(batch.partition);
        store.take(batch);
        await handled();
      },
    });
    this.#running.catch(() => {});
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    await this.#running;
  }
}
