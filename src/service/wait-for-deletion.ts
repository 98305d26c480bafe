import { LegonetError } from '../errors.js';
import type { Place } from '../log/event-log.js';
import type { Stores } from '../log/open.js';
import { int4Array, int8Array } from '../store/arrays.js';
import type { Database } from '../store/database.js';
import { readStopped } from '../store/dead-letters.js';
import { heldRoles } from '../store/lock.js';
import { waitUntil } from './catch-up.js';
import type { Request } from './request-deletions.js';
import { canRecover, ROLES, runRole } from './roles.js';
import type { Service } from './service.js';

/** A request, and where the log has it. */
export type Asked = Request & { readonly places: readonly Place[] };

/**
 * Resolves when a version without the request's samples is published, with `performance.now()` of
 * that moment; throws if that needs an operator, or `interrupted`. Does the work itself where no other process has taken the role.
 */
export async function helpUntilPublished(
  { database }: Pick<Stores, 'database'>,
  openService: () => Promise<Service & { close(): Promise<void> }>,
  { requestId, kind, targets, places }: Asked,
  signal: AbortSignal,
): Promise<number> {
  const last = lastOfEach(places);
  const published = async () => {
    await throwIfStopped(database, last);
    // One that was met before may take more away when it comes again, as may a subject's.
    const { rows } = await database.pool.query<{ done: boolean }>(
      `SELECT (SELECT count(*) FROM deletions d JOIN versions v USING (version)
               WHERE request_id = $1 AND kind = $2 AND target = ANY($3)
                 AND v.published_at IS NOT NULL) >= cardinality($3::text[])
          AND NOT EXISTS (SELECT FROM unnest($4::int[], $5::int8[]) AS last(partition, position)
                          LEFT JOIN offsets o USING (partition)
                          WHERE coalesce(o.position, 0) <= last.position)
          AND NOT EXISTS (SELECT FROM evidence JOIN tombstones USING (sample_id)
                          LEFT JOIN versions v ON v.version = applied_in
                          WHERE evidence.request_id = $1 AND v.published_at IS NULL) AS done`,
      [requestId, kind, targets, int4Array([...last.keys()]), int8Array([...last.values()])],
    );
    return rows[0]?.done === true;
  };
  const held = await heldRoles(database.pool);
  const finished = new AbortController();
  const running = AbortSignal.any([signal, finished.signal]);
  const failure: { error?: unknown } = {};
  const service = ROLES.every((role) => held.includes(role)) ? null : await openService();
  const onFailure = (error: unknown) => {
    if (canRecover(error)) return;
    failure.error = error;
    finished.abort();
  };
  const work = ROLES.map((role) =>
    service
      ? runRole({ ...service, onStopped: onFailure }, role, running, (_, error) => onFailure(error))
      : null,
  );
  let when: number;
  try {
    await waitUntil(database, published, running);
    when = performance.now();
  } finally {
    finished.abort();
    await Promise.all(work);
    await service?.close();
  }
  if (failure.error !== undefined) throw failure.error;
  if (!signal.aborted || (await published())) return when;
  throw new LegonetError(
    'interrupted',
    `stopped waiting; request ${requestId} stays in the log: see \`legonet deletions ${requestId}\``,
  );
}

/** Another process, which has the roles, cannot tell us. */
async function throwIfStopped(
  { pool }: Database,
  last: ReadonlyMap<number, bigint>,
): Promise<void> {
  const stopped = await readStopped(pool);
  const found = stopped.find(({ partition, position }) => position < (last.get(partition) ?? 0n));
  if (!found) return;
  throw new LegonetError(
    'partition_stopped',
    `partition ${found.partition} stands still before a deletion that cannot be applied, and the request is behind ` +
      'it. See `legonet dead-letters`',
    'stop',
  );
}

/** By partition. */
function lastOfEach(places: readonly Place[]): ReadonlyMap<number, bigint> {
  const last = new Map<number, bigint>();
  for (const { partition, position } of places) {
    if (position > (last.get(partition) ?? -1n)) last.set(partition, position);
  }
  return last;
}
