import type { LogRecord } from '#src/events/record.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import type { Erasure, ErasureProgress, NewRecord, Place } from '#src/log/event-log.js';
import type { Database } from '#src/store/database.js';

/** The embedded log with several partitions, compacted when a test says so, as Kafka does in its own time. */
export class CompactingLog extends EmbeddedLog {
  override readonly compacts = true;
  readonly partitions: number;
  readonly #database: Database;

  constructor(database: Database, partitions = 1) {
    super(database);
    this.#database = database;
    this.partitions = partitions;
  }

  /** The embedded log's topic that keeps a partition; a log with one keeps all of them there. */
  #named(topic: string, partition: number): string {
    const own = partition % this.partitions;
    return own === 0 ? topic : `${topic}/${own}`;
  }

  /** Where records go that say nothing else, as any partitioner may have it. */
  #partitionOf({ key, partition }: NewRecord): number {
    return (partition ?? key?.charCodeAt(key.length - 1) ?? 0) % this.partitions;
  }

  override async append(topic: string, records: readonly NewRecord[]): Promise<Place[]> {
    const places = new Map<NewRecord, Place>();
    for (let partition = 0; partition < this.partitions; partition++) {
      const own = records.filter((record) => this.#partitionOf(record) === partition);
      const appended = await super.append(this.#named(topic, partition), own);
      own.forEach((record, i) => {
        places.set(record, { partition, position: appended[i]?.position ?? 0n });
      });
    }
    return records.flatMap((record) => places.get(record) ?? []);
  }

  /** Up to `maxRecords` records of a partition. */
  async readFrom(
    topic: string,
    { partition, position }: Place,
    maxRecords: number,
  ): Promise<LogRecord[]> {
    const records = await super.read(this.#named(topic, partition), position, maxRecords);
    return records.map((record) => ({ ...record, partition }));
  }

  override async ends(topic: string): Promise<ReadonlyMap<number, bigint>> {
    const ends = new Map<number, bigint>();
    for (let partition = 0; partition < this.partitions; partition++) {
      const own = await super.ends(this.#named(topic, partition));
      ends.set(partition, own.get(0) ?? 0n);
    }
    return ends;
  }

  /** What is declared is done when compaction has done it. */
  override async erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<ErasureProgress[]> {
    const done: ErasureProgress[] = [];
    for (let partition = 0; partition < this.partitions; partition++) {
      const open = erasures.filter(
        (one) => one.partition % this.partitions === partition && !one.declared,
      );
      if (open.length === 0) continue;
      const own = new Map([[0, read.get(partition) ?? 0n]]);
      done.push(...(await super.erase(this.#named(topic, partition), open, own)));
    }
    for (const { key, partition, first, declared } of erasures) {
      if (!declared) continue;
      const { rowCount } = await this.#database.pool.query(
        'SELECT FROM log_records WHERE topic = $1 AND key = $2 AND position >= $3 AND position < $4',
        [this.#named(topic, partition), key, first, declared.position],
      );
      const isGone = rowCount === 0;
      if (isGone) done.push({ key, partition, declared: declared.position, erased: true });
    }
    return done;
  }

  /** Drops every record of a partition before `until` that is not the last one of its key there. */
  async compact(topic: string, until: bigint, partition = 0): Promise<void> {
    await this.#database.pool.query(
      `DELETE FROM log_records l WHERE topic = $1 AND position < $2 AND EXISTS
         (SELECT FROM log_records n WHERE n.topic = $1 AND n.key = l.key
            AND n.position > l.position AND n.position < $2)`,
      [this.#named(topic, partition), until],
    );
  }
}
