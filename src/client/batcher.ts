import { LegonetError } from '../errors.js';
import type { NewRecord, Place } from '../log/event-log.js';

/** When a batch goes, and how much may wait. */
export type BatchLimits = {
  /** How long the first record of a batch waits for company. */
  readonly lingerMs: number;
  /** A batch holds so many records, and so many bytes or one record. */
  readonly batchRecords: number;
  readonly batchBytes: number;
  /** What is held in memory until it is durable; whatever comes on top waits for room. */
  readonly bufferRecords: number;
  readonly bufferBytes: number;
};

type Entry = {
  readonly record: NewRecord;
  readonly size: number;
  readonly resolve: (place: Place) => void;
  readonly reject: (error: unknown) => void;
};

type Waiting = Pick<Entry, 'resolve' | 'reject'> & { readonly make: () => NewRecord };

/** So many may wait for room before one more is refused. */
const WAITING = 100_000;

/**
 * Collects records into batches and appends these one after another, so that records keep the order in
 * which they came. A batch that fails, fails each of its records; those after it go on.
 */
export class Batcher {
  readonly #append: (records: readonly NewRecord[]) => Promise<readonly Place[]>;
  readonly #limits: BatchLimits;
  readonly #waiting: Waiting[] = [];
  #entries: Entry[] = [];
  #held = { records: 0, bytes: 0 };
  #timer: NodeJS.Timeout | undefined;
  #appending = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(
    append: (records: readonly NewRecord[]) => Promise<readonly Place[]>,
    limits: BatchLimits,
  ) {
    this.#append = append;
    this.#limits = limits;
  }

  /**
   * Resolves when the record is durable. `make` is called when there is room; what it throws is thrown,
   * and nothing is appended. Throws `producer_closed`, `producer_full`, or why the batch has failed.
   */
  async add(make: () => NewRecord): Promise<Place> {
    if (this.#closed) {
      throw new LegonetError('producer_closed', 'the producer is closed: open another one');
    }
    if (this.#waiting.length >= WAITING) {
      throw new LegonetError(
        'producer_full',
        `${WAITING} events wait for room already: await some before you send more`,
        'retryable',
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ make, resolve, reject });
      this.#admit();
    });
  }

  /** Appends all that was added, and then takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#go();
    if (this.#appending || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  get #hasRoom(): boolean {
    const { bufferRecords, bufferBytes } = this.#limits;
    return this.#held.records < bufferRecords && this.#held.bytes < bufferBytes;
  }

  #admit(): void {
    let admitted = 0;
    for (const { make, resolve, reject } of this.#waiting) {
      if (!this.#hasRoom) break;
      admitted++;
      try {
        const record = make();
        const size = (record.value?.length ?? 0) + Buffer.byteLength(record.key ?? '');
        this.#held.records++;
        this.#held.bytes += size;
        this.#entries.push({ record, size, resolve, reject });
      } catch (error) {
        reject(error);
      }
    }
    this.#waiting.splice(0, admitted);
    if (this.#entries.length === 0) return;
    const { batchRecords, batchBytes, lingerMs } = this.#limits;
    const bytes = this.#held.bytes;
    if (this.#closed || this.#entries.length >= batchRecords || bytes >= batchBytes) this.#go();
    else this.#timer ??= setTimeout(() => this.#go(), lingerMs);
  }

  #go(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#appending) return;
    this.#appending = true;
    void this.#appendAll();
  }

  /** Until nothing is left: what has come meanwhile has waited long enough. Never rejects. */
  async #appendAll(): Promise<void> {
    while (this.#entries.length > 0) {
      const batch = this.#take();
      try {
        const places = await this.#append(batch.map(({ record }) => record));
        batch.forEach(({ resolve }, i) => {
          resolve(places[i] as Place);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      this.#held.records -= batch.length;
      this.#held.bytes -= sum(batch);
      this.#admit();
    }
    this.#appending = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): Entry[] {
    const { batchRecords, batchBytes } = this.#limits;
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#entries) {
      if (count > 0 && (count >= batchRecords || bytes + size > batchBytes)) break;
      bytes += size;
      count++;
    }
    const batch = this.#entries.slice(0, count);
    this.#entries = this.#entries.slice(count);
    return batch;
  }
}

const sum = (entries: readonly Entry[]): number =>
  entries.reduce((total, { size }) => total + size, 0);
