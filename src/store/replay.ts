import { LegonetError } from '../errors.js';
import { int4Array, int8Array } from './arrays.js';
import { type Database, type Queryable, sqlState, transaction } from './database.js';
import { keepBuildersOut, type Leadership, tryLead } from './lock.js';
import { saveSeals } from './saved-seals.js';

const PROJECTED = `samples, tombstones, memberships, sample_subjects, subject_erasures, erasures,
  restatements, adapter_statistics, dirty_adapters, sets, set_pages, set_cut, anchors, moves`;

/**
 * Locked before anything is read: a batch under way may bring more. Shorter than PostgreSQL's deadlock_timeout: of two
 * that wait for each other, as with a publisher who reads table after table, it is the replay that lets go.
 */
const LOCKED = `ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '200ms';
  LOCK TABLE ${PROJECTED}; SET LOCAL lock_timeout TO DEFAULT`;

async function whenLocked(
  { pool }: Database,
  work: (client: Queryable) => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await transaction(pool, work, LOCKED);
    } catch (error) {
      if (sqlState(error) !== '55P03') throw error;
    }
  }
}

/**
 * Forgets everything that is projected, so that the log, which ends at `ends`, is projected again from
 * its start. Versions, weights and requests stay; nothing is built until the projection has come to
 * that end. Throws `busy` (retryable) while another process projects or builds.
 */
export async function dropProjections(
  database: Database,
  ends: ReadonlyMap<number, bigint>,
  compacts: boolean,
): Promise<void> {
  const held: Leadership[] = [];
  try {
    for (const take of [
      () => tryLead(database.url, 'project'),
      () => tryLead(database.url, 'build'),
      // Those too who help whoever had the role a moment ago.
      () => keepBuildersOut(database.url),
    ]) {
      const leadership = await take();
      if (!leadership) {
        throw new LegonetError(
          'busy',
          'a `legonet start` is running on this database: stop it first',
          'retryable',
        );
      }
      held.push(leadership);
    }
    await whenLocked(database, async (client) => {
      await client.query(
        // Versions hold these contents; what is not there again once the log is projected was removed: after the
        // latest of them, though a replay before this one has not come that far again. From no set: all sets are made
        // again from what is there then.
        `WITH forgotten AS (UPDATE removals SET commitment = NULL WHERE commitment IS NOT NULL),
         latest AS (SELECT cut FROM versions ORDER BY version DESC LIMIT 1)
         INSERT INTO removals (partition, position, content_partition, content_position)
         SELECT partition, greatest(o.position, (l.cut ->> partition::text)::bigint), partition, s.position
         FROM samples s JOIN offsets o USING (partition) LEFT JOIN latest l ON true`,
      );
      await saveSeals(client);
      await client.query(`TRUNCATE ${PROJECTED}`);
      // Not as far as it was projected: what was known of a sample, its deletion too, may be in a record that the log
      // has written since, and the sample may have been sent once more before that.
      await client.query(
        `UPDATE offsets o SET position = 0, retained = 0, replay_until = e.position
         FROM unnest($1::int[], $2::int8[]) AS e(partition, position)
         WHERE o.partition = e.partition`,
        [int4Array([...ends.keys()]), int8Array([...ends.values()])],
      );
      // Skipped deletions stay skipped, and what was redriven is in the log again. What a log that
      // compacts has dropped, nobody could find again; but no partition stands still that has not come to it.
      await client.query(
        compacts
          ? 'UPDATE dead_letters SET redriven_at = now() WHERE stopping AND skipped_at IS NULL'
          : 'DELETE FROM dead_letters WHERE skipped_at IS NULL',
      );
      // Whatever the log says now, every adapter is built from it again.
      await client.query(
        `INSERT INTO dirty_adapters (adapter, partition, position) SELECT adapter, 0, -1 FROM adapters`,
      );
    });
  } finally {
    for (const leadership of held) await leadership.release();
  }
}
