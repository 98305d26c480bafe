import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LegonetError } from '../errors.js';
import type { Database, Queryable } from './database.js';

const FOLDER = fileURLToPath(new URL('../../migrations/', import.meta.url));
/** Any constant will do, as long as every Legonet uses the same. */
const LOCK = 7_318_226_455_310_021n;

export type Migration = {
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
};

/** The migrations this program ships, in order. */
export async function shippedMigrations(folder = FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(`${folder}/${name}`, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Brings the database up to date, one process at a time. Throws `migration_changed` if an applied
 * migration is not the shipped one, `database_newer` if one is applied that is not shipped.
 */
export async function migrate(database: Database, migrations?: Migration[]): Promise<string[]> {
  const shipped = migrations ?? (await shippedMigrations());
  const client = await database.pool.connect();
  try {
    if ((await pending(client, shipped)).length === 0) return [];
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    const todo = await pending(client, shipped);
    for (const { name, checksum, sql } of todo) {
      await client.query('BEGIN');
      await client.query(sql);
      await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [
        name,
        checksum,
      ]);
      await client.query('COMMIT');
    }
    return todo.map((migration) => migration.name);
  } finally {
    // Ending the session gives back the lock and any open transaction, whatever went wrong.
    client.release(true);
  }
}

/** Migrations that are shipped and not applied yet. Throws as `migrate` does. */
export async function pending(client: Queryable, shipped: Migration[]): Promise<Migration[]> {
  const exists = await client.query(`SELECT to_regclass('schema_migrations') IS NOT NULL AS yes`);
  if (!exists.rows[0].yes) return shipped;
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'SELECT name, checksum FROM schema_migrations ORDER BY name',
  );
  const byName = new Map(shipped.map((migration) => [migration.name, migration]));
  for (const { name, checksum } of rows) {
    const known = byName.get(name);
    if (!known) {
      throw new LegonetError(
        'database_newer',
        `the database has migration ${name}, which this version of Legonet does not know: upgrade Legonet`,
        'stop',
      );
    }
    if (known.checksum !== checksum) {
      throw new LegonetError(
        'migration_changed',
        `migration ${name} differs from the one applied to this database: reinstall Legonet, or restore the file`,
        'stop',
      );
    }
    byName.delete(name);
  }
  return [...byName.values()];
}
