import { type Queryable, queryPrepared } from './database.js';

/**
 * Queues entries for the audit log, in the transaction of what they record: there is no entry without
 * its event, nor event without its entry. Returns the batch by which they are found in the log. A
 * `barrier` comes before all that is not committed yet, whenever it was queued: so what is before it in the log
 * was there for whoever looks after it.
 */
export async function queueEntries(
  client: Queryable,
  entries: readonly Uint8Array[],
  barrier = false,
): Promise<bigint> {
  const { rows } = await queryPrepared<{ batch: bigint }>(
    client,
    `INSERT INTO tlog_batches (count, entries, seen)
     VALUES ($1, $2, CASE WHEN $3 THEN pg_current_snapshot() END) RETURNING batch`,
    [entries.length, packEntries(entries), barrier],
  );
  return rows[0]?.batch ?? 0n;
}

/** Each after its length in 2 bytes, as an entry bundle has them (C2SP tlog-tiles). */
export function packEntries(entries: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(entries.reduce((sum, { length }) => sum + 2 + length, 0));
  let at = 0;
  for (const entry of entries) {
    at = bytes.writeUInt16BE(entry.length, at);
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}
