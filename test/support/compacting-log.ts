import { EmbeddedLog } from '#src/log/embedded.js';
import type { Database } from '#src/store/database.js';

/** The embedded log, compacted when a test says so, as Kafka does in its own time. */
export class CompactingLog extends EmbeddedLog {
  override readonly compacts = true;
  readonly #database: Database;

  constructor(database: Database) {
    super(database);
    this.#database = database;
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
