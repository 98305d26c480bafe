import { randomBytes } from 'node:crypto';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatSignerKey } from '#src/audit/log/keys.js';
import { treeRoot } from '#src/audit/log/tile-proofs.js';
import { rotateKey } from '#src/publish/rotate.js';
import { keyFile, logDirectory, newKey } from '#src/publish/signer.js';
import { diagnose } from '#src/service/examine/diagnose.js';
import { readSettings } from '#src/settings.js';
import { readHead, tileReader } from '#src/store/tlog.js';
import { type Audited, deleted, holds, openAudited, several } from '../support/audited.js';
import { execute } from '../support/execute.js';

/*
 * One database url and one data directory; what is behind the url is exchanged, as a restore does.
 */
let audited: Audited;
const databases: string[] = [];

beforeEach(async () => {
  audited = await openAudited();
});
afterEach(async () => {
  const { url } = audited;
  await audited.close();
  for (const name of databases.splice(0)) {
    await execute(serverOf(url), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
});

const serverOf = (url: string) => Object.assign(new URL(url), { pathname: '/postgres' }).href;
const nameOf = (url: string) => new URL(url).pathname.slice(1);

/** A copy of the database as it is now. */
async function backup(url = audited.url): Promise<string> {
  const name = `legonet_backup_${randomBytes(6).toString('hex')}`;
  databases.push(name);
  await execute(
    serverOf(url),
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${nameOf(url)}'`,
  );
  await execute(serverOf(url), `CREATE DATABASE ${name} TEMPLATE ${nameOf(url)}`);
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

/** A service on that database, with the data directory there is. */
const restored = (url: string): Promise<Audited> => openAudited({ url, folder: audited.folder });

async function on<T>(url: string, work: (service: Audited) => Promise<T>): Promise<T> {
  const service = await restored(url);
  try {
    return await work(service);
  } finally {
    await service.close();
  }
}

const unpublished = async ({ service }: Audited) => {
  const { rows } = await service.database.pool.query(
    `SELECT (SELECT count(*)::int FROM versions WHERE published_at IS NULL) AS waiting,
            signed_size::int AS signed FROM tlog_head`,
  );
  return rows[0];
};

async function findings(url: string) {
  const settings = readSettings({ DATABASE_URL: url, LEGONET_DATA_DIR: audited.folder });
  const found = await diagnose(settings, { environment: {}, now: Date.now });
  return found.filter(({ name }) => ['signing key', 'checkpoint'].includes(name));
}

describe('an old backup', () => {
  test('is not signed, nothing of it is published, and the right database goes on', async () => {
    await audited.happen(...several(20));
    const old = await backup();
    await audited.happen(deleted(1, 'r1'));
    await on(old, async (service) => {
      const before = await unpublished(service);
      // Said at once, before there is anything to sign.
      await expect(service.service.signer()).rejects.toMatchObject({
        code: 'log_behind',
        message: expect.stringMatching(/old backup.*Restore/),
      });
      // Fewer events than the newer database had: it stays behind.
      await expect(service.happen(...several(1, 50))).rejects.toMatchObject({ code: 'log_behind' });
      expect(await unpublished(service)).toEqual({ ...before, waiting: 1 });
    });
    expect(await findings(old)).toMatchObject([
      { name: 'signing key', ok: true },
      { name: 'checkpoint', ok: false, remedy: expect.stringContaining('newer backup') },
    ]);
    await audited.happen(deleted(2, 'r2'));
    for (const request of ['r1', 'r2']) {
      expect(holds(await audited.certificate(request), await audited.vkey())).toBe(true);
    }
    expect(await findings(audited.url)).toMatchObject([{ ok: true }, { ok: true }]);
  });

  test('that is gone on with, past where it was signed, is a fork', async () => {
    await audited.happen(...several(20));
    const old = await backup();
    await audited.happen(deleted(1, 'r1'));
    await on(old, async (service) => {
      const before = await unpublished(service);
      await expect(service.happen(...several(30, 50))).rejects.toMatchObject({
        code: 'log_forked',
        message: expect.stringContaining('gone on with'),
      });
      expect(await unpublished(service)).toEqual({ ...before, waiting: 1 });
    });
    expect(await findings(old)).toMatchObject([
      { name: 'signing key', ok: true },
      { name: 'checkpoint', ok: false, remedy: expect.stringContaining('right database') },
    ]);
  });

  test('from before anything was signed, or before the key was rotated, is told too', async () => {
    // The log has its name, and nothing in it.
    await audited.service.signer();
    const empty = await backup();
    await audited.happen(...several(20));
    await on(empty, async (service) => {
      await expect(service.happen(...several(2))).rejects.toMatchObject({ code: 'log_behind' });
    });
    const old = await backup();
    await rotateKey(audited.settings, audited.service.database, undefined);
    await on(old, async (service) => {
      await expect(service.happen(deleted(1, 'r1'))).rejects.toMatchObject({
        code: expect.stringMatching(/^log_(behind|forked)$/),
      });
    });
  });
});

describe('a database that was changed', () => {
  const changeTile = async () => {
    const { pool } = audited.service.database;
    await pool.query(
      'UPDATE tlog_tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 0',
    );
    return pool;
  };

  test('in a tile of the log is not signed by a process that reads it', async () => {
    await audited.happen(...several(20));
    await changeTile();
    const before = await unpublished(audited);
    await on(audited.url, async (service) => {
      await expect(service.happen(deleted(1, 'r1'))).rejects.toMatchObject({
        code: 'tlog_corrupt',
      });
    });
    expect(await unpublished(audited)).toEqual({ ...before, waiting: 1 });
    expect(await findings(audited.url)).toMatchObject([{ ok: true }, { ok: false }]);
  });

  test('in a tile and in the root that follows from it is a fork', async () => {
    await audited.happen(...several(20));
    const pool = await changeTile();
    const { size } = await readHead(pool);
    await pool.query('UPDATE tlog_head SET root = $1', [await treeRoot(size, tileReader(pool))]);
    const before = await unpublished(audited);
    // The process that has signed the tree that was is not misled by what it remembers.
    await expect(audited.happen(deleted(1, 'r1'))).rejects.toMatchObject({ code: 'log_forked' });
    await on(audited.url, async (service) => {
      await expect(service.happen(deleted(2, 'r2'))).rejects.toMatchObject({ code: 'log_forked' });
    });
    expect((await unpublished(audited)).signed).toBe(before.signed);
  });

  test('in a tile is mended by the process that has written it, and remembers', async () => {
    await audited.happen(...several(20));
    const pool = await changeTile();
    await audited.happen(deleted(1, 'r1'));
    const { size, root } = await readHead(pool);
    expect(Buffer.from(await treeRoot(size, tileReader(pool)))).toEqual(root);
    expect(holds(await audited.certificate('r1'), await audited.vkey())).toBe(true);
  });

  test('is not signed whatever else it says was signed', async () => {
    await audited.happen(...several(20));
    const old = await backup();
    await audited.happen(deleted(1, 'r1'));
    await on(old, async (service) => {
      // The copy in the database agrees with it; the one apart does not.
      expect((await unpublished(service)).signed).toBeGreaterThan(0);
      await expect(service.happen(...several(1, 50))).rejects.toMatchObject({ code: 'log_behind' });
    });
  });
});

test('a damaged checkpoint stops the service, and one that is lost is found by the doctor', async () => {
  await audited.happen(...several(20));
  const directory = await logDirectory(audited.settings, audited.service.database);
  const file = join(directory, 'checkpoint');
  await writeFile(file, 'not a checkpoint\n');
  await expect(audited.happen(deleted(1, 'r1'))).rejects.toMatchObject({
    code: 'checkpoint_unreadable',
  });
  expect(await findings(audited.url)).toMatchObject([
    { name: 'signing key', ok: true },
    { name: 'checkpoint', ok: false },
  ]);
  await rm(file);
  expect(await findings(audited.url)).toMatchObject([
    { ok: true },
    { ok: false, detail: expect.stringContaining('there is none') },
  ]);
  await audited.happen(deleted(2, 'r2'));
  expect(await findings(audited.url)).toMatchObject([{ ok: true }, { ok: true }]);
});

test('the doctor finds a key that others may read', async () => {
  await audited.happen(...several(5));
  const file = keyFile(await logDirectory(audited.settings, audited.service.database));
  await chmod(file, 0o644);
  const found = await diagnose(audited.settings, { environment: {}, now: Date.now });
  expect(found.filter(({ ok }) => !ok)).toMatchObject([
    { name: 'secret signing key', remedy: `chmod o= ${file}` },
  ]);
});

test('the doctor finds a process without the log’s key', async () => {
  await audited.happen(...several(20));
  const directory = await logDirectory(audited.settings, audited.service.database);
  const unknown = { name: 'signing key', ok: false, remedy: expect.stringContaining('Several') };
  await writeFile(keyFile(directory), `${formatSignerKey(newKey())}\n`);
  expect(await findings(audited.url)).toMatchObject([unknown]);
  await rm(keyFile(directory));
  expect(await findings(audited.url)).toMatchObject([unknown]);
});
