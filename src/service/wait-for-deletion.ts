import { LegonetError } from '../errors.js';
import type { Stores } from '../log/open.js';
import { heldRoles } from '../store/lock.js';
import { waitUntil } from './catch-up.js';
import type { Request } from './request-deletions.js';
import { canRecover, ROLES, runRole } from './roles.js';
import type { Service } from './service.js';

/**
 * Resolves when a version without the request's samples is published, with `performance.now()` of
 * that moment; throws if that needs an operator, or `interrupted`. Does the work itself where no other process has taken the role.
 */
export async function helpUntilPublished(
  { database }: Stores,
  openService: () => Promise<Service & { close(): Promise<void> }>,
  { requestId, targets }: Request,
  signal: AbortSignal,
): Promise<number> {
  const published = async () => {
    const { rows } = await database.pool.query<{ done: bigint }>(
      `SELECT count(*) AS done FROM deletions d JOIN versions v USING (version)
       WHERE request_id = $1 AND target = ANY($2) AND v.published_at IS NOT NULL`,
      [requestId, targets],
    );
    return Number(rows[0]?.done ?? 0n) >= targets.length;
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
