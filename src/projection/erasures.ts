import type { LogRecord } from '../events/record.js';
import type { ErasureChange } from './changes.js';

/** What a batch wants erased from the log, one range to a key and partition. */
export class Erasures {
  readonly #ranges = new Map<string, ErasureChange>();

  /** This record, as one of the key. */
  record(key: string, { partition, position }: LogRecord): void {
    this.#add(key, partition, position);
  }

  /** Everything of the key, where the first records of it are. */
  payloads(key: string, firsts: ReadonlyMap<number, bigint>): void {
    for (const [partition, first] of firsts) this.#add(key, partition, first);
  }

  changes(): ErasureChange[] {
    return [...this.#ranges.values()];
  }

  #add(key: string, partition: number, position: bigint): void {
    const id = `${partition} ${key}`;
    const { first = position, last = position } = this.#ranges.get(id) ?? {};
    this.#ranges.set(id, {
      key,
      partition,
      first: position < first ? position : first,
      last: position > last ? position : last,
    });
  }
}
