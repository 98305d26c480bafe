import type { Queryable } from './database.js';

/**
 * Queues entries for the audit log, in the transaction of what they record: there is no entry without
 * its event, nor event without its entry. Returns the batch by which they are found in the log.
 */
export async function queueEntries(
  client: Queryable,
  entries: readonly Uint8Array[],
): Promise<bigint> {
  const { rows } = await client.query<{ batch: bigint }>(
    'INSERT INTO tlog_batches (count, entries) VALUES ($1, $2) RETURNING batch',
    [entries.length, packEntries(entries)],
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
