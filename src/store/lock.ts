import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Queryable } from './database.js';

/** Roles of which one process at a time does the work; others stand by. */
export type Role = 'project' | 'build' | 'publish';

const KEYS: Record<Role, number> = { project: 1, build: 2, publish: 3 };
/** Namespace of our advisory locks, apart from other users of the database. */
const SPACE = 0x1e60;
const RETRY_MS = 500;

/** The lock, held for a transaction, that projections take together or alone. */
export const PROJECTION = [SPACE, 101] as const;

/** A held role. `lost` aborts when the connection that holds it breaks. */
export type Leadership = { readonly lost: AbortSignal; release(): Promise<void> };

/**
 * The role if nobody has it, else null; `together` with others who take it so. It is given back by
 * release, or by the death of the process.
 */
export async function tryLead(
  url: string,
  role: Role,
  together = false,
): Promise<Leadership | null> {
  const client = await connect(url);
  const { rows } = await client.query<{ got: boolean }>(
    `SELECT pg_try_advisory_lock${together ? '_shared' : ''}($1, $2) AS got`,
    [SPACE, KEYS[role]],
  );
  if (!rows[0]?.got) {
    await client.end();
    return null;
  }
  const lost = new AbortController();
  client.on('end', () => lost.abort());
  client.on('error', () => lost.abort());
  return { lost: lost.signal, release: () => client.end() };
}

/** Waits until the role is ours; null if the signal aborts first. */
export async function lead(
  url: string,
  role: Role,
  signal: AbortSignal,
  together = false,
): Promise<Leadership | null> {
  while (!signal.aborted) {
    const leadership = await tryLead(url, role, together);
    if (leadership) return leadership;
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
  }
  return null;
}

/** Roles that some process has, in this database. */
export async function heldRoles(client: Queryable): Promise<Role[]> {
  const { rows } = await client.query<{ key: number }>(
    `SELECT DISTINCT objid::int AS key FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objsubid = 2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY 1`,
    [SPACE],
  );
  const roles = Object.entries(KEYS) as [Role, number][];
  return rows.flatMap(({ key }) => roles.filter(([, k]) => k === key).map(([role]) => role));
}
