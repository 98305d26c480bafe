import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '#src/log/finding.js';
import { diagnose } from '#src/service/examine/diagnose.js';
import { diskFinding } from '#src/service/examine/machine.js';
import { examinePipeline } from '#src/service/examine/pipeline.js';
import { readSettings } from '#src/settings.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { tryLead } from '#src/store/lock.js';
import { saveModel } from '#src/store/model.js';
import { legonetJson } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { tinyModel } from '../support/models.js';

let folder: string;
let created: TestDatabase;
let database: Database;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'legonet-test-doctor-'));
  created = await createTestDatabase();
  database = openDatabase(created.url);
  await saveModel(database, tinyModel(), {});
});
afterEach(async () => {
  await database.close();
  await created.drop();
  rmSync(folder, { recursive: true });
});

async function look(
  environment: Record<string, string> = {},
  now: () => number = Date.now,
): Promise<Finding[]> {
  const { DATABASE_URL = created.url } = environment;
  const settings = readSettings({ DATABASE_URL, LEGONET_DATA_DIR: folder });
  return diagnose(settings, { environment, now });
}

/** The only thing wrong, by name; a remedy is always there. */
async function wrong(...given: Parameters<typeof look>): Promise<Finding | undefined> {
  const failed = (await look(...given)).filter(({ ok }) => !ok);
  expect(failed).toMatchObject([{ remedy: expect.stringMatching(/.{10}/) }]);
  return failed[0];
}

const run = (sql: string) => database.pool.query(sql);

test('the doctor finds nothing wrong where nothing is, and names what it has looked at', async () => {
  const findings = await look();
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual([
    'arithmetic',
    'disk',
    'data directory',
    'database',
    'clock',
    'migrations',
    'lag',
    'model',
    'roles',
    'deletions',
    'announcements',
    'erasure from the log',
    'dead letters',
    'signing key',
  ]);
});

describe('the database', () => {
  test('that cannot be reached is a finding, and what else there is to see is seen', async () => {
    const findings = await look({ DATABASE_URL: 'postgres://legonet:s3cret@127.0.0.1:1/legonet' });
    expect(findings.at(-1)).toMatchObject({ name: 'database', ok: false });
    expect(findings).toContainEqual(expect.objectContaining({ name: 'disk', ok: true }));
    expect(JSON.stringify(findings)).not.toContain('s3cret');
  });

  test('without tables is told from one that is behind, and neither is migrated', async () => {
    const empty = await createTestDatabase({ template: 'template0' });
    const bare = await wrong({ DATABASE_URL: empty.url });
    expect(bare).toMatchObject({ name: 'migrations', remedy: expect.stringContaining('init') });
    const inside = openDatabase(empty.url, 1);
    const { rows } = await inside.pool.query('SELECT FROM pg_tables WHERE schemaname = $1', [
      'public',
    ]);
    expect(rows).toEqual([]);
    await inside.close();
    await empty.drop();

    await run(
      `DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)`,
    );
    const behind = await wrong();
    expect(behind).toMatchObject({ name: 'migrations', remedy: expect.stringContaining('status') });
    expect(behind?.detail).toMatch(/^(\d+) of (?!\1)\d+ /);
  });

  test('whose migrations are not ours is not looked into', async () => {
    await run(`INSERT INTO schema_migrations (name, checksum) VALUES ('9999_future.sql', 'x')`);
    expect(await wrong()).toMatchObject({
      name: 'migrations',
      detail: expect.stringMatching(/upgrade Legonet/),
    });
  });

  test('that takes no changes is found out', async () => {
    const name = new URL(created.url).pathname.slice(1);
    await run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    expect(await wrong()).toMatchObject({
      name: 'database',
      detail: expect.stringMatching(/read only/),
    });
  });

  test('with another clock than ours is found out, whichever is ahead', async () => {
    const skewed = (by: number) => wrong({}, () => Date.now() + by);
    expect(await skewed(60_000)).toMatchObject({
      name: 'clock',
      detail: expect.stringMatching(/behind ours/),
    });
    expect(await skewed(-60_000)).toMatchObject({
      name: 'clock',
      detail: expect.stringMatching(/ahead of ours/),
    });
  });

  test('that answers late is not taken for one with another clock', async () => {
    const [asked, answered] = [Date.now() - 30_000, Date.now() + 30_000];
    const times = [asked, answered];
    const findings = await look({}, () => times.shift() ?? answered);
    expect(findings.find(({ name }) => name === 'clock')).toMatchObject({ ok: true });
  });
});

describe('the machine', () => {
  test('with little space is found out, also before the data directory is there', () => {
    const dataDir = join(folder, 'not', 'yet', 'there');
    expect(diskFinding(dataDir, 1)).toMatchObject({
      ok: true,
      detail: expect.stringContaining(folder),
    });
    expect(diskFinding(dataDir, 1e18)).toMatchObject({
      ok: false,
      remedy: expect.stringMatching(/LEGONET_DATA_DIR/),
    });
  });

  test('where others write into the data directory is found out', async () => {
    chmodSync(folder, 0o777);
    expect(await wrong()).toMatchObject({ name: 'data directory' });
  });

  test('where others read secrets is found out; certificates are none', async () => {
    const file = (name: string, mode: number, text = 'x') => {
      const path = join(folder, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    };
    const url = file('url', 0o644, created.url);
    const secret = { name: 'secret DATABASE_URL_FILE', detail: expect.stringContaining(url) };
    expect(await wrong({ DATABASE_URL_FILE: url })).toMatchObject(secret);
    chmodSync(url, 0o640);
    const quiet = { DATABASE_URL_FILE: url, KAFKA_SSL_CA_FILE: file('ca', 0o644) };
    expect((await look(quiet)).filter(({ ok }) => !ok)).toEqual([]);
    const gone = { ...quiet, LEGONET_SIGNING_KEY_FILE: join(folder, 'gone') };
    expect(await wrong(gone)).toMatchObject({ name: 'secret LEGONET_SIGNING_KEY_FILE' });
    file('http-token', 0o644);
    expect(await wrong(quiet)).toMatchObject({ name: 'secret HTTP token' });
    rmSync(join(folder, 'http-token'));
    mkdirSync(join(folder, 'postgres'));
    file('postgres/password', 0o604);
    expect(await wrong(quiet)).toMatchObject({ name: 'secret password of the embedded server' });
  });
});

describe('what waits', () => {
  const erasure = (since: string) =>
    run(`INSERT INTO erasures (key, partition, first_position, last_position, since)
         VALUES ('s ${since}', 0, 0, 0, now() - interval '${since}')`);

  test('for a role that nobody has is named with it', async () => {
    await run(`INSERT INTO dirty_adapters (adapter, partition, position) VALUES (3, 0, 7)`);
    expect(await wrong()).toMatchObject({
      name: 'roles',
      detail: expect.stringMatching(/1 adapters \(build\)/),
    });
    const build = await tryLead(created.url, 'build');
    expect((await look()).filter(({ ok }) => !ok)).toEqual([]);
    await build?.release();
  });

  test('to be erased beyond its deadline is an alarm, in status too', async () => {
    const publish = await tryLead(created.url, 'publish');
    await erasure('3 hours');
    expect((await look()).filter(({ ok }) => !ok)).toEqual([]);
    await erasure('30 hours');
    const found = await wrong();
    expect(found).toMatchObject({
      name: 'erasure from the log',
      detail: expect.stringMatching(/^2 .* 1 d 6 h; 1 beyond/),
    });
    const environment = { DATABASE_URL: created.url };
    expect(await legonetJson(['status'], environment)).toMatchObject({
      erasuresWaiting: 2,
      erasuresOverdue: 1,
      oldestErasureMs: expect.any(Number),
      model: 'tiny',
      lag: 0,
    });
    const deadline = { ...environment, LEGONET_ERASURE_DEADLINE_MS: '3600000' };
    expect(await legonetJson(['status'], deadline)).toMatchObject({ erasuresOverdue: 2 });
    await publish?.release();
  });

  test('too long, a deletion or an announcement, is found out though every role is at work', async () => {
    const roles = ['project', 'build', 'publish'] as const;
    const held = await Promise.all(roles.map((role) => tryLead(created.url, role)));
    const deletion = (since: string) =>
      run(`INSERT INTO deletions (request_id, kind, target, partition, position, removed, received_at)
           VALUES ('r ${since}', 'sample', 's', 0, 0, 1, now() - interval '${since}')`);
    await deletion('10 seconds');
    expect((await look()).filter(({ ok }) => !ok)).toEqual([]);
    await deletion('10 minutes');
    expect(await wrong()).toMatchObject({
      name: 'deletions',
      detail: expect.stringMatching(/^2 wait .* 10 min/),
    });
    await run('TRUNCATE deletions');
    await run(`INSERT INTO versions (version, model_digest, config_digest, cut, rebuilt, carried, deletions, retained)
               VALUES (1, 'm', 'c', '{}', '{}', 0, '{}', 0)`);
    await run(`INSERT INTO outbox (event_id, version, kind, key, value, created_at)
               VALUES ('e', 1, 'published', 'k', 'v', now() - interval '1 hour')`);
    expect(await wrong()).toMatchObject({
      name: 'announcements',
      detail: expect.stringMatching(/1 h/),
    });
    for (const one of held) await one?.release();
  });

  test('is seen when the log cannot be asked', async () => {
    const findings = await examinePipeline(database, null, 1000);
    expect(findings.map(({ ok }) => ok)).not.toContain(false);
  });
});
