import type { EventLog } from '../log/event-log.js';
import { textArray } from '../store/arrays.js';
import type { Database } from '../store/database.js';

type ErasureRow = {
  sample_id: string;
  request_id: string;
  partition: number | null;
  position: bigint | null;
};

const BATCH = 1000;

/** Erases deleted samples' payloads from the log. What a crash leaves undone is done at the next call. */
export async function eraseFromLog(options: {
  readonly database: Database;
  readonly log: EventLog;
  readonly topic: string;
  readonly reached?: (point: string) => void;
}): Promise<void> {
  const { database, log, topic, reached = () => {} } = options;
  for (;;) {
    const { rows } = await database.pool.query<ErasureRow>(
      `SELECT sample_id, request_id, partition, position FROM erasures ORDER BY since LIMIT ${BATCH}`,
    );
    if (rows.length === 0) return;
    const offsets = await database.pool.query<{ partition: number; position: bigint }>(
      'SELECT partition, position FROM offsets',
    );
    reached('erase.before');
    await log.erase(
      topic,
      rows.map(({ sample_id: key, request_id: requestId, partition, position }) => ({
        key,
        requestId,
        deletion: partition === null || position === null ? null : { partition, position },
      })),
      new Map(offsets.rows.map((row) => [row.partition, row.position])),
    );
    reached('erase.after');
    // Whoever waits for the projection waits for this too.
    await database.pool.query(
      `WITH done AS (DELETE FROM erasures WHERE sample_id = ANY($1::text[]))
       SELECT pg_notify('legonet_projected', '')`,
      [textArray(rows.map((row) => row.sample_id))],
    );
  }
}
