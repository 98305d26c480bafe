type Positions = ReadonlyMap<number, bigint>;

/** A busy partition is never read to its very end: it is enough to have read what was there so long ago. */
const RECENT_MS = 60_000;

/**
 * Tells where a log that compacts may be written to under keys that others write, too: a record supersedes those before
 * it that the consumer has not read, a deletion perhaps, and compaction drops them in time.
 */
export class CaughtUp {
  #ends: Positions = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds since 1970. */
  constructor(private readonly now: () => number) {}

  /**
   * Partitions of which the consumer, whose next positions are `read`, has read what was there when we last looked.
   * `ends`: the position after the last record now. Both by partition.
   */
  partitions(read: Positions, ends: Positions): ReadonlySet<number> {
    const earlier = this.now() - this.#lookedAt <= RECENT_MS ? this.#ends : ends;
    this.#ends = ends;
    this.#lookedAt = this.now();
    const isRead = ([partition, end]: readonly [number, bigint]) =>
      (read.get(partition) ?? 0n) >= (earlier.get(partition) ?? end);
    return new Set([...ends].filter(isRead).map(([partition]) => partition));
  }
}
