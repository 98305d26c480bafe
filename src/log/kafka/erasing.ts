import { rollRecord } from '../../events/own-records.js';
import { CaughtUp } from '../caught-up.js';
import type { Erasure, ErasureProgress } from '../event-log.js';
import type { KafkaLogLine } from './connection.js';
import type { ErasurePlan } from './policy.js';
import type { Placed } from './producer.js';
import type { Declared } from './verification.js';

export type ErasingOptions = {
  readonly plan: ErasurePlan;
  /** The brokers' log.cleaner.backoff.ms. */
  readonly backoffMs: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  append(records: readonly Placed[]): Promise<bigint[]>;
  /** The position after the last record, by partition. */
  ends(): Promise<ReadonlyMap<number, bigint>>;
  /** Those of which no record is left before the deletion. */
  findGone(erasures: readonly Declared[], signal: AbortSignal): Promise<Declared[]>;
  onLog(line: KafkaLogLine): void;
};

/** When a partition was last rolled and read, in milliseconds since 1970. */
type Schedule = { rolledAt: number; readAt: number };
/** When an erasure's segment was rolled, and whether what was to be gone has been looked for since. */
type Roll = { readonly at: number; looked: boolean };

/**
 * Erasure by compaction, of one topic. A deletion under the same key; then, once the segment is old enough,
 * a roll record to the same partition, for a broker never closes a segment by itself and cleans closed ones
 * only; then the partition is read to see that what was deleted is gone. What is kept here is a schedule
 * only: after a restart partitions are rolled and read once more.
 */
export class Erasing {
  readonly #options: ErasingOptions;
  readonly #schedules = new Map<number, Schedule>();
  /** By partition, position of the deletion, and key. */
  readonly #rolls = new Map<string, Roll>();
  /** When an erasure was seen to be done. */
  readonly #gone = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #caughtUp: CaughtUp;
  #verifying: Promise<void> | undefined;

  constructor(options: ErasingOptions) {
    this.#options = options;
    this.#caughtUp = new CaughtUp(options.now);
  }

  /** Does what is due, and tells what moved. Reading goes on in the background; its results come later. */
  async step(
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<ErasureProgress[]> {
    const open = erasures.filter(({ declared }) => declared === null);
    const declared = erasures.filter((one): one is Declared => one.declared !== null);
    const moved = open.length > 0 ? await this.#declare(open, read) : [];
    if (declared.length === 0) return moved;
    this.#forget(declared);
    const due = declared.filter((erasure) => this.#isDue(erasure, read));
    // Before the next roll: whoever rolls at every step would never look.
    this.#verify(due);
    await this.#roll(due);
    return [...moved, ...this.#takeErased(due)];
  }

  /**
   * Writes deletions. A record of the same key that the consumer has not read would be compacted away by
   * ours, and may be another request: so only where it has caught up.
   */
  async #declare(
    open: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<ErasureProgress[]> {
    const partitions = this.#caughtUp.partitions(read, await this.#options.ends());
    const ready = open.filter(({ partition }) => partitions.has(partition));
    const positions = await this.#options.append(
      ready.map(({ key, partition, record }) => ({ partition, record: { ...record(), key } })),
    );
    return ready.map(({ key, partition }, i) => {
      return { key, partition, declared: positions[i] ?? -1n, erased: false };
    });
  }

  /** From when on the segment with the deletion can be rolled. */
  #dueAt({ declared }: Declared): number {
    const { lagMs, clockMs } = this.#options.plan;
    return declared.at.getTime() + lagMs + clockMs;
  }

  #isDue(erasure: Declared, read: ReadonlyMap<number, bigint>): boolean {
    const isRead = (read.get(erasure.partition) ?? 0n) > erasure.declared.position;
    return isRead && this.#options.now() >= this.#dueAt(erasure);
  }

  #schedule(partition: number): Schedule {
    const known = this.#schedules.get(partition);
    if (known) return known;
    const schedule = { rolledAt: Number.NEGATIVE_INFINITY, readAt: Number.NEGATIVE_INFINITY };
    this.#schedules.set(partition, schedule);
    return schedule;
  }

  async #roll(due: readonly Declared[]): Promise<void> {
    const { plan, now, append } = this.#options;
    const wanted = due.filter((erasure) => {
      const isLate = now() - this.#schedule(erasure.partition).rolledAt >= plan.rollIntervalMs;
      return isLate && !this.#gone.has(id(erasure)) && this.#needsRoll(erasure);
    });
    if (wanted.length === 0) return;
    const partitions = [...new Set(wanted.map(({ partition }) => partition))];
    await append(partitions.map((partition) => ({ partition, record: rollRecord() })));
    const at = now();
    for (const partition of partitions) this.#schedule(partition).rolledAt = at;
    for (const erasure of wanted) this.#rolls.set(id(erasure), { at, looked: false });
  }

  /** Once; and if it was in vain, since clocks are further apart than we think, once more. */
  #needsRoll(erasure: Declared): boolean {
    const { lagMs, clockMs } = this.#options.plan;
    const roll = this.#rolls.get(id(erasure));
    return !roll || (roll.looked && this.#options.now() - roll.at >= lagMs + clockMs);
  }

  #verify(due: readonly Declared[]): void {
    const { plan, now, backoffMs, onLog } = this.#options;
    if (this.#verifying || this.#closing.signal.aborted) return;
    const candidates = due.filter((erasure) => {
      const roll = this.#rolls.get(id(erasure));
      const { readAt } = this.#schedule(erasure.partition);
      const isCleaned = roll !== undefined && now() >= roll.at + backoffMs();
      return !this.#gone.has(id(erasure)) && isCleaned && now() >= readAt + plan.verifyIntervalMs;
    });
    if (candidates.length === 0) return;
    this.#verifying = this.#options
      .findGone(candidates, this.#closing.signal)
      .then((gone) => {
        for (const erasure of gone) this.#gone.set(id(erasure), now());
      })
      .catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        onLog({ level: 'warn', message: `erasures were not verified: ${text}`, about: {} });
      })
      .finally(() => {
        for (const erasure of candidates) {
          this.#schedule(erasure.partition).readAt = now();
          const roll = this.#rolls.get(id(erasure));
          if (roll) roll.looked = true;
        }
        this.#verifying = undefined;
      });
  }

  /** A cleaned segment's old file is renamed at first, and removed after file.delete.delay.ms. */
  #takeErased(due: readonly Declared[]): ErasureProgress[] {
    const { plan, now } = this.#options;
    return due.flatMap((erasure) => {
      const goneAt = this.#gone.get(id(erasure));
      if (goneAt === undefined || now() < goneAt + 2 * plan.fileDeleteDelayMs) return [];
      const { key, partition, declared } = erasure;
      return [{ key, partition, declared: declared.position, erased: true }];
    });
  }

  /** Forgets what is not asked for any more. */
  #forget(declared: readonly Declared[]): void {
    if (this.#rolls.size === 0) return;
    const asked = new Set(declared.map(id));
    for (const one of this.#rolls.keys()) {
      if (asked.has(one)) continue;
      this.#rolls.delete(one);
      this.#gone.delete(one);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#verifying;
  }
}

const id = ({ key, partition, declared }: Declared): string =>
  `${partition} ${declared.position} ${key}`;
