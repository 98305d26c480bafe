import { encodeLeaf } from '../audit/leaves.js';
import type { Queryable } from './database.js';
import { queueEntries } from './tlog-queue.js';

/**
 * Saves, as a replay begins, what every sample is committed to: that stays as long as its content does. Of a sample that
 * the replay before has met with other content, and with no more than that, the former is gone.
 */
export async function saveSeals(client: Queryable): Promise<void> {
  await forget(
    client,
    'USING samples s WHERE s.sample_id = v.sample_id AND s.leaf_batch IS NOT NULL',
  );
  await client.query(
    `INSERT INTO saved_seals
     SELECT sample_id, coalesce(correction_digest, ingest_digest), salt, commitment, membership,
            leaf_batch, leaf_entry, adapters
     FROM samples WHERE leaf_batch IS NOT NULL`,
  );
}

/** What the replay has not met again is gone. */
export const forgetSeals = (client: Queryable): Promise<void> => forget(client, '');

/** The audit log says so. */
async function forget(client: Queryable, which: string): Promise<void> {
  const { rows } = await client.query<{ commitment: Buffer }>(
    `DELETE FROM saved_seals v ${which} RETURNING v.commitment`,
  );
  if (rows.length === 0) return;
  const leaves = rows.map(({ commitment }) =>
    encodeLeaf({ kind: 'delete', commitment, request: null }),
  );
  await queueEntries(client, leaves);
}
