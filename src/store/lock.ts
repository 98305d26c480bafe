import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Queryable } from './database.js';

/** Roles of which one process at a time does the work; others stand by. */
export type Role = 'project' | 'build' | 'publish';

const KEYS: Record<Role, number> = { project: 1, build: 2, publish: 3 };
/** Held together by all processes with the build role; of them, the one that has the role leads. */
const BUILDERS = 102;
/** Namespace of our advisory locks, apart from other users of the database. */
const SPACE = 0x1e60;
const RETRY_MS = 500;

/** The lock, held for a transaction, that projections take together or alone. */
export const PROJECTION = [SPACE, 101] as const;
/** Together: nobody takes a sample away until the transaction ends. */
export const SIDE_BY_SIDE = `SELECT pg_advisory_xact_lock_shared(${PROJECTION.join(', ')})`;
export const ALONE = `SELECT pg_advisory_xact_lock(${PROJECTION.join(', ')})`;

/** A held role. `lost` aborts when the connection that holds it breaks. */
export type Leadership = { readonly lost: AbortSignal; release(): Promise<void> };

/**
 * The role if nobody has it, else null; `together` with others who take it so. It is given back by
 * release, or by the death of the process.
 */
export function tryLead(url: string, role: Role, together = false): Promise<Leadership | null> {
  const lock = together ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock';
  return hold(url, lock, KEYS[role]);
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
  const roles = [...Object.entries(KEYS), ['build', BUILDERS]] as [Role, number][];
  const held = rows.flatMap(({ key }) => roles.filter(([, k]) => k === key).map(([role]) => role));
  return [...new Set(held)];
}

/** One of the processes that build. */
export type Builder = {
  /** Aborts when the connection breaks that holds the locks. */
  readonly lost: AbortSignal;
  /** Whether the build role is this process's; true once it was taken. */
  lead(): Promise<boolean>;
  release(): Promise<void>;
};

/** Counts among those that build; waits while `keepBuildersOut` does. Null if the signal aborts first. */
export async function joinBuilders(url: string, signal: AbortSignal): Promise<Builder | null> {
  while (!signal.aborted) {
    const held = await hold(url, 'pg_try_advisory_lock_shared', BUILDERS);
    if (held) {
      const { client, lost, release } = held;
      const lead = () => got(client, 'pg_try_advisory_lock', KEYS.build);
      return { lost, release, lead };
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
  }
  return null;
}

/** As long as it is held, no process joins the builders; null if there is one already. */
export function keepBuildersOut(url: string): Promise<Leadership | null> {
  return hold(url, 'pg_try_advisory_lock', BUILDERS);
}

/** How many processes have the build role, whether they lead or help. */
export async function countBuilders(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ builders: number }>(
    `SELECT count(*)::int AS builders FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND objsubid = 2
       AND classid::bigint = $1 AND objid::bigint = $2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [SPACE, BUILDERS],
  );
  return rows[0]?.builders ?? 0;
}

type Try = 'pg_try_advisory_lock' | 'pg_try_advisory_lock_shared';

async function got(client: Queryable, attempt: Try, key: number): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>(`SELECT ${attempt}($1, $2) AS got`, [
    SPACE,
    key,
  ]);
  return rows[0]?.got === true;
}

/** A lock on a connection of its own, or null. */
async function hold(url: string, attempt: Try, key: number) {
  const client = await connect(url);
  let ours = false;
  try {
    ours = await got(client, attempt, key);
  } finally {
    if (!ours) await client.end();
  }
  if (!ours) return null;
  const lost = new AbortController();
  client.on('end', () => lost.abort());
  client.on('error', () => lost.abort());
  return { client, lost: lost.signal, release: () => client.end() };
}
