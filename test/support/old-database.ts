import { type Database, openDatabase } from '#src/store/database.js';
import { migrate, shippedMigrations } from '#src/store/migrate.js';
import { createTestDatabase, type TestDatabase } from './database.js';

/** The last migration before there was an audit trail. */
const LAST = '0007';

/** What a database holds, in one that has only the migrations from before the audit trail. */
export async function copyAsOld(from: Database): Promise<TestDatabase> {
  const created = await createTestDatabase({ template: 'template0' });
  const to = openDatabase(created.url, 1);
  try {
    const migrations = await shippedMigrations();
    await migrate(
      to,
      migrations.filter(({ name }) => name.slice(0, LAST.length) <= LAST),
    );
    await to.pool.query('SET session_replication_role = replica');
    for (const table of await tablesOf(to)) await copyTable(from, to, table);
  } finally {
    await to.close();
  }
  return created;
}

async function tablesOf({ pool }: Database): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables
     WHERE schemaname = 'public' AND tablename <> 'schema_migrations'`,
  );
  return rows.map(({ name }) => name);
}

async function copyTable(from: Database, to: Database, table: string): Promise<void> {
  const { rows: columns } = await to.pool.query<{ name: string; identity: boolean }>(
    `SELECT column_name AS name, is_identity = 'YES' AS identity FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name = $1`,
    [table],
  );
  const names = columns.map(({ name }) => name).join(', ');
  const { rows } = await from.pool.query<{ all: string }>(
    `SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text AS all FROM ${table} t`,
  );
  await to.pool.query(
    `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE
     SELECT ${names} FROM jsonb_populate_recordset(NULL::${table}, $1)`,
    [rows[0]?.all],
  );
  for (const { name } of columns.filter(({ identity }) => identity)) {
    await to.pool.query(
      `SELECT setval(pg_get_serial_sequence('${table}', '${name}'), (SELECT coalesce(max(${name}), 0) + 1 FROM ${table}))`,
    );
  }
}
