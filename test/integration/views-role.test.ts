import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, openDatabase, sqlState } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { query } from '../support/embedded.js';
import { openTestServer } from '../support/server.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/how-to/audit-views.md'), 'utf8');

let server: { url: string; close(): Promise<void> };
beforeAll(async () => {
  server = await openTestServer();
});
afterAll(() => server.close());

const at = (name: string, user?: string): string => {
  const url = Object.assign(new URL(server.url), { pathname: `/${name}` });
  return (user ? Object.assign(url, { username: user, password: 'secret' }) : url).href;
};

async function migrateAt(url: string): Promise<void> {
  const database = openDatabase(url, 1);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
}

const auditors = () =>
  query(server.url, `SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = 'legonet_auditor'`);

async function createOwned(name: string, owner: string): Promise<void> {
  await query(server.url, `CREATE DATABASE ${name} OWNER ${owner} TEMPLATE template0`);
}

/** Counts adapters through a view, as a member of the auditors that logs in. */
const versionsSeenBy = (user: string, name: string) =>
  query(at(name, user), 'SELECT count(*)::int AS versions FROM audit.versions');

test('migrates where no role may be made, and a DBA grants later what the page says', async () => {
  await query(server.url, `CREATE ROLE plain LOGIN PASSWORD 'secret'`);
  await createOwned('poor', 'plain');
  await migrateAt(at('poor', 'plain'));
  expect(await auditors()).toEqual([]);
  const [grants = ''] = /(?<=```sql dba\n)[^`]+/.exec(PAGE) ?? [];
  await query(at('poor'), grants);
  await query(server.url, `CREATE ROLE eve LOGIN PASSWORD 'secret' IN ROLE legonet_auditor`);
  expect(await versionsSeenBy('eve', 'poor')).toEqual([{ versions: 0 }]);
  const refused = await query(at('poor', 'eve'), 'SELECT FROM samples').catch(sqlState);
  expect(refused).toBe('42501');
  // The role is there now: the next database grants to it without any right to make roles.
  await createOwned('second', 'plain');
  await migrateAt(at('second', 'plain'));
  expect(await versionsSeenBy('eve', 'second')).toEqual([{ versions: 0 }]);
  await query(server.url, 'DROP DATABASE poor');
  await query(server.url, 'DROP DATABASE second');
  await query(server.url, 'DROP ROLE eve');
  await query(server.url, 'DROP ROLE legonet_auditor');
});

test('takes the role that another database’s migration is making at the same moment', async () => {
  await query(server.url, `CREATE ROLE maker LOGIN PASSWORD 'secret' CREATEROLE`);
  const databases = ['race0', 'race1', 'race2'];
  for (const name of databases) await createOwned(name, 'maker');
  const first = await connect(at('race0', 'maker'));
  await first.query('BEGIN');
  await first.query('CREATE ROLE legonet_auditor NOLOGIN');
  const migrations = Promise.all(databases.map((name) => migrateAt(at(name, 'maker'))));
  const waiting = `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`;
  for (;;) {
    const [found] = (await query(server.url, waiting)) as { n: number }[];
    if (found?.n === databases.length) break;
  }
  await first.query('COMMIT');
  await first.end();
  await migrations;
  expect(await auditors()).toEqual([{ login: false }]);
  // Whoever made it lets people in.
  await query(at('race0', 'maker'), `CREATE ROLE ann LOGIN PASSWORD 'secret'`);
  await query(at('race0', 'maker'), 'GRANT legonet_auditor TO ann');
  for (const name of databases) {
    expect(await versionsSeenBy('ann', name)).toEqual([{ versions: 0 }]);
  }
});

test('leaves what others keep in a schema of that name to them', async () => {
  await query(server.url, `CREATE ROLE limited LOGIN PASSWORD 'secret'`);
  await query(server.url, 'CREATE DATABASE shared TEMPLATE template0');
  await query(at('shared'), 'CREATE SCHEMA audit; CREATE TABLE audit.theirs ()');
  await query(at('shared'), 'GRANT USAGE, CREATE ON SCHEMA audit, public TO limited');
  await query(at('shared'), 'GRANT USAGE ON SCHEMA audit TO legonet_auditor');
  await migrateAt(at('shared', 'limited'));
  const [right] = await query(
    at('shared'),
    `SELECT has_table_privilege('legonet_auditor', 'audit.theirs', 'SELECT') AS theirs,
            has_table_privilege('legonet_auditor', 'audit.samples', 'SELECT') AS ours`,
  );
  expect(right).toEqual({ theirs: false, ours: true });
});
