import { readPending } from '../build/plan.js';
import type { PartitionLag } from '../log/lag.js';
import { int4Array } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { readStopped } from '../store/dead-letters.js';
import type { Role } from '../store/lock.js';
import type { Waiting } from './stalls.js';

/** What a process knows of itself. */
export type Own = {
  /** Partitions that it was given; null as long as nobody has given out any. */
  readonly partitions: ReadonlySet<number> | null;
  /** How many steps a role has taken here. */
  steps(role: Role): number;
};

/**
 * Records behind, but for partitions that stand still on purpose, before a deletion that cannot be
 * read, and those that another process was given.
 */
export async function projectionsWaiting(
  client: Queryable,
  lags: readonly PartitionLag[],
  { partitions }: Own,
): Promise<Waiting[]> {
  const stopped = new Set((await readStopped(client)).map(({ partition }) => partition));
  return lags
    .filter(({ partition, behind }) => behind > 0n && !stopped.has(partition))
    .filter(({ partition }) => partitions === null || partitions.has(partition))
    .map(({ partition, position }) => ({
      role: 'project',
      what: `partition ${partition}`,
      mark: `at position ${position}`,
    }));
}

/** A build that is due. Each adapter is a step. */
export async function buildsWaiting(
  client: Queryable,
  buildDelayMs: number,
  own: Own,
): Promise<Waiting[]> {
  const { urgent, waitingMs } = await readPending(client);
  if (!urgent && (waitingMs === null || waitingMs < buildDelayMs)) return [];
  const { rows } = await client.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM versions',
  );
  const mark = `after version ${rows[0]?.version ?? 0}, step ${own.steps('build')}`;
  return [{ role: 'build', what: 'adapters', mark }];
}

/** Versions to be announced, and deletions that the log is yet to be told of, in these partitions; null: in all. */
export async function publicationsWaiting(
  client: Queryable,
  partitions: ReadonlySet<number> | null,
): Promise<Waiting[]> {
  const { rows } = await client.query<{ outbox: bigint | null; erasures: Date | null }>(
    `SELECT (SELECT min(id) FROM outbox WHERE published_at IS NULL) AS outbox,
            (SELECT min(since) FROM erasures WHERE declared_position IS NULL
               AND ($1::int[] IS NULL OR partition = ANY($1))) AS erasures`,
    [partitions && int4Array([...partitions])],
  );
  const { outbox = null, erasures = null } = rows[0] ?? {};
  const announcements = { what: 'announcements', mark: `at event ${outbox}` };
  const deletions = { what: 'erasures', mark: `from ${erasures?.toISOString()} on` };
  return [
    ...(outbox === null ? [] : [{ role: 'publish', ...announcements } as const]),
    ...(erasures === null ? [] : [{ role: 'publish', ...deletions } as const]),
  ];
}
