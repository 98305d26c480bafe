import type { Queryable } from './database.js';
import type { Tree } from './tlog.js';

/** Who signs the audit log, as the database has it. */
export type SigningRecord = {
  /** The log's name, and that of all its keys. */
  readonly origin: string;
  /** The verifier key in force. */
  readonly vkey: string;
};

/** Null before the log is first signed. */
export async function readSigningRecord(client: Queryable): Promise<SigningRecord | null> {
  const { rows } = await client.query<SigningRecord>(
    `SELECT origin, vkey FROM tlog_keys CROSS JOIN tlog_head ORDER BY ordinal DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

/** How far the log has come, and the key in force; null before it is first signed. */
export async function readTreeAndKey(
  client: Queryable,
): Promise<(Tree & { readonly vkey: string }) | null> {
  const { rows } = await client.query<{ size: bigint; root: Buffer; vkey: string }>(
    `SELECT size, root, vkey FROM tlog_keys CROSS JOIN tlog_head ORDER BY ordinal DESC LIMIT 1`,
  );
  const [row] = rows;
  return row ? { ...row, size: Number(row.size) } : null;
}

/** Makes this the log's first key, in a transaction that holds the head's lock. */
export async function recordFirstKey(
  client: Queryable,
  { origin, vkey }: SigningRecord,
): Promise<void> {
  await client.query('UPDATE tlog_head SET origin = $1', [origin]);
  await client.query('INSERT INTO tlog_keys (vkey) VALUES ($1)', [vkey]);
}

/** Puts the next key in force, whose entry in the log the batch has queued. */
export async function recordNextKey(client: Queryable, vkey: string, batch: bigint): Promise<void> {
  await client.query('INSERT INTO tlog_keys (vkey, leaf_batch, leaf_entry) VALUES ($1, $2, 0)', [
    vkey,
    batch,
  ]);
}
