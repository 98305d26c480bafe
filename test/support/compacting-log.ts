import { EmbeddedLog } from '#src/log/embedded.js';
import type { Erasure, ErasureProgress } from '#src/log/event-log.js';
import type { Database } from '#src/store/database.js';

/** The embedded log, compacted when a test says so, as Kafka does in its own time. */
export class CompactingLog extends EmbeddedLog {
  override readonly compacts = true;
  readonly #database: Database;

  constructor(database: Database) {
    super(database);
    this.#database = database;
  }

  /** What is declared is done when compaction has done it. */
  override async erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<ErasureProgress[]> {
    const open = erasures.filter(({ declared }) => declared === null);
    const done = open.length > 0 ? await super.erase(topic, open, read) : [];
    for (const { key, partition, first, declared } of erasures) {
      if (!declared) continue;
      const { rowCount } = await this.#database.pool.query(
        'SELECT FROM log_records WHERE topic = $1 AND key = $2 AND position >= $3 AND position < $4',
        [topic, key, first, declared.position],
      );
      const isGone = rowCount === 0;
      if (isGone) done.push({ key, partition, declared: declared.position, erased: true });
    }
    return done;
  }

  /** Drops every record before `until` that is not the last one of its key there. */
  async compact(topic: string, until: bigint): Promise<void> {
    await this.#database.pool.query(
      `DELETE FROM log_records l WHERE topic = $1 AND position < $2 AND EXISTS
         (SELECT FROM log_records n WHERE n.topic = $1 AND n.key = l.key
            AND n.position > l.position AND n.position < $2)`,
      [topic, until],
    );
  }
}
