import { LegonetError } from '../../errors.js';
import type { Finding } from '../../log/finding.js';
import type { Queryable } from '../../store/database.js';
import { pending, shippedMigrations } from '../../store/migrate.js';

/** The oldest major version that the tests run on. */
const OLDEST_POSTGRES = 15;
/** Beyond it, times in reports mislead and an erasure's deadline begins too late or too early. */
const CLOCK_BOUND_MS = 5000;

/** The server: version, whether it can be written, its clock. */
export async function examineDatabase(
  client: Queryable,
  place: string,
  now: () => number,
): Promise<Finding[]> {
  return [await serverFinding(client, place), await clockFinding(client, now)];
}

async function serverFinding(client: Queryable, place: string): Promise<Finding> {
  const { rows } = await client.query<{ version: number; replica: boolean; read_only: boolean }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version,
            pg_is_in_recovery() AS replica,
            current_setting('default_transaction_read_only')::boolean AS read_only`,
  );
  const { version = 0, replica = false, read_only: readOnly = false } = rows[0] ?? {};
  const name = 'database';
  if (replica || readOnly) {
    return {
      name,
      ok: false,
      detail: `${place} answers, but takes no changes: ${replica ? 'it is a replica' : 'it is set to read only'}`,
      remedy: replica
        ? 'Connect to the primary: DATABASE_URL.'
        : 'Make room if its disk is full, then switch default_transaction_read_only off.',
    };
  }
  return {
    name,
    ok: version >= OLDEST_POSTGRES,
    detail: `${place} answers, PostgreSQL ${version}`,
    remedy: `Upgrade PostgreSQL: Legonet is tested from version ${OLDEST_POSTGRES} on.`,
  };
}

/** How far the database's clock is from ours, as far as the time of the question lets us know. */
export async function clockFinding(client: Queryable, now: () => number): Promise<Finding> {
  const asked = now();
  const { rows } = await client.query<{ time: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS time',
  );
  const answered = now();
  const theirs = rows[0]?.time ?? 0;
  // Somewhere between question and answer it was that time here.
  const skew = Math.max(0, theirs - answered, asked - theirs);
  const ok = skew <= CLOCK_BOUND_MS;
  return {
    name: 'clock',
    ok,
    detail: ok
      ? `the database's clock and ours agree within ${CLOCK_BOUND_MS} ms`
      : `the database's clock is ${theirs > answered ? 'ahead of' : 'behind'} ours by at least ${Math.round(skew)} ms`,
    remedy: 'Have both machines synchronised (chrony, systemd-timesyncd).',
  };
}

/** Whether the tables are those of this Legonet. Where they are not, there is nothing more to look at. */
export async function migrationsFinding(client: Queryable): Promise<Finding> {
  const name = 'migrations';
  try {
    const shipped = await shippedMigrations();
    const missing = await pending(client, shipped);
    const remedy =
      missing.length === shipped.length
        ? 'Nothing is in it yet: `legonet init MODEL.json` makes the tables, too.'
        : 'Back up, then run any other command, `legonet status` say: it applies them.';
    const detail = `${shipped.length - missing.length} of ${shipped.length} are applied`;
    return { name, ok: missing.length === 0, detail, remedy };
  } catch (error) {
    if (!(error instanceof LegonetError)) throw error;
    return {
      name,
      ok: false,
      detail: error.message,
      remedy: 'Run the Legonet that the message names.',
    };
  }
}
