import { EVENT_CONTENT_TYPE, encodeEvent, recordRejected } from '../events/cloud-event.js';
import { int8Array } from '../store/arrays.js';
import { readUnannounced } from '../store/dead-letters.js';
import type { PublishOptions } from './options.js';

const BATCH = 500;
const SOURCE = 'urn:legonet:projection';

/** Tells the dead-letters topic of every letter, in order, at least once: reason and place, no payload. */
export async function announceDeadLetters(options: PublishOptions): Promise<void> {
  const { database, log, topic, reached = () => {} } = options;
  for (;;) {
    const letters = await readUnannounced(database.pool, BATCH);
    if (letters.length === 0) return;
    reached('announce.before');
    await log.append(
      topic,
      letters.map(({ id, key, partition, position, code, reason, stopping, revision }) => {
        const place = { partition, position: String(position) };
        const data = { id: String(id), ...place, code, reason, stopping };
        const event = recordRejected(data, { id: `${id}:${revision}`, source: SOURCE });
        const headers = { 'content-type': EVENT_CONTENT_TYPE };
        return { key, value: encodeEvent(event), headers };
      }),
    );
    reached('announce.after');
    const { rowCount: told } = await database.pool.query(
      // Those that the projection is changing are told again: it may hold some, and come to others later.
      `WITH told AS (
         SELECT id FROM dead_letters JOIN unnest($1::int8[], $2::int8[]) AS a(id, revision)
           USING (id, revision)
         FOR UPDATE OF dead_letters SKIP LOCKED
       )
       UPDATE dead_letters d SET announced_at = now() FROM told WHERE d.id = told.id`,
      [int8Array(letters.map(({ id }) => id)), int8Array(letters.map(({ revision }) => revision))],
    );
    if (!told) return;
  }
}
