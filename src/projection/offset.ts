import { LegonetError } from '../errors.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import { REPLAYING } from '../store/offsets.js';

/** Where a partition's projection stands, as its one consumer believes. */
export type Place = { readonly partition: number; readonly next: bigint };

/**
 * Locks the stored offset until the transaction ends. Throws `offset_moved` (retryable) if it is not where
 * this consumer believes: it has lost the partition to another. Returns whether any partition is on a replay: what
 * that one has not met yet, this one may name.
 */
export async function lockOffset(
  client: Queryable,
  { partition, next }: Place,
  first = true,
): Promise<boolean> {
  const { rows } = await queryPrepared<{ position: bigint; replaying: boolean }>(
    client,
    `SELECT position, ${REPLAYING} AS replaying FROM offsets
     WHERE partition = $1 FOR UPDATE`,
    [partition],
  );
  const [row] = rows;
  const position = row?.position;
  if (row && position === next) return row.replaying;
  if (position === undefined && first) {
    await client.query(
      'INSERT INTO offsets (partition, position) VALUES ($1, 0) ON CONFLICT DO NOTHING',
      [partition],
    );
    return lockOffset(client, { partition, next }, false);
  }
  throw new LegonetError(
    'offset_moved',
    `partition ${partition} stands at ${position}, not ${next}: it is projected elsewhere`,
    'retryable',
  );
}

/**
 * Moves a locked offset on and tells whoever waits for it. Retained samples are counted as they come and
 * go: counting a million rows would take longer than a deletion may.
 */
export async function moveOffset(
  client: Queryable,
  { partition }: Place,
  to: bigint,
  added = 0,
): Promise<void> {
  await queryPrepared(
    client,
    `UPDATE offsets SET position = $2, retained = retained + $3 WHERE partition = $1
     RETURNING pg_notify('legonet_projected', '')`,
    [partition, to, added],
  );
}
