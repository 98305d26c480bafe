import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseEnvelope, verifyEnvelope } from '#src/audit/dsse.js';
import { encodeLeaf } from '#src/audit/leaves.js';
import {
  formatSignerKey,
  formatVerifierKey,
  parseSignerKey,
  parseVerifierKey,
} from '#src/audit/log/keys.js';
import { publishPending } from '#src/publish/publisher.js';
import { rotateKey } from '#src/publish/rotate.js';
import type { OpenSigner } from '#src/publish/sign.js';
import { keyFile, logDirectory, newKey, nextKeyFile, openSigner } from '#src/publish/signer.js';
import { catchUp, waitUntil } from '#src/service/catch-up.js';
import { readSettings } from '#src/settings.js';
import { transaction } from '#src/store/database.js';
import { lockHead } from '#src/store/tlog.js';
import { recordNextKey } from '#src/store/tlog-keys.js';
import { queueEntries } from '#src/store/tlog-queue.js';
import { type Audited, deleted, holds, openAudited, several } from '../support/audited.js';
import { toNewRecord } from '../support/history.js';

const never = new AbortController().signal;
let audited: Audited;
beforeEach(async () => {
  audited = await openAudited();
});
afterEach(() => audited.close());

const rotate = () => rotateKey(audited.settings, audited.service.database, undefined);
const origin = async () => {
  const { rows } = await audited.service.database.pool.query(
    `SELECT origin, split_part(checkpoint, E'\\n', 1) AS line FROM tlog_head`,
  );
  return rows[0];
};

describe('a rotated key', () => {
  test('leaves the log its name, and certificates hold under every key it had', async () => {
    await audited.happen(...several(30));
    await audited.happen(deleted(1, 'r1'));
    const first = await audited.vkey();
    const before = await origin();
    const old = await audited.certificate('r1');
    const { from, vkey } = await rotate();
    expect([from, vkey]).toEqual([first, await audited.vkey()]);
    expect(vkey).not.toBe(first);
    // The certificate made before is what it was; the next one is by the new key.
    expect(holds(old, first)).toBe(true);
    const { vkey: third } = await rotate();
    await audited.happen(deleted(2, 'r2'));
    for (const request of ['r1', 'r2']) {
      const text = await audited.certificate(request);
      for (const key of [first, vkey, third]) expect(holds(text, key)).toBe(true);
      expect(holds(text, formatVerifierKey(newKey(parseVerifierKey(first).name)))).toBe(false);
    }
    expect(await origin()).toEqual(before);
    expect(before).toEqual({ origin: parseVerifierKey(first).name, line: before.origin });
  });

  test('is taken up by a service that runs, without an interruption', async () => {
    await audited.happen(...several(30));
    const { service } = audited;
    const running = audited.start();
    const publish = async (n: number) => {
      const requestId = `r${n}`;
      const records = [toNewRecord(deleted(n, requestId))];
      await service.log.append(service.settings.topics.sampleEvents, records);
      const done = async () => {
        const { rowCount } = await service.database.pool.query(
          `SELECT FROM deletions JOIN versions v USING (version)
           WHERE request_id = $1 AND v.published_at IS NOT NULL`,
          [requestId],
        );
        return rowCount === 1;
      };
      await waitUntil(service.database, done, AbortSignal.timeout(30_000));
      expect(await done()).toBe(true);
    };
    const keys = [await audited.vkey()];
    await publish(1);
    for (const n of [2, 3, 4]) {
      const [{ vkey }] = await Promise.all([rotate(), publish(n)]);
      keys.push(vkey);
    }
    await publish(5);
    expect(await running.stop()).toEqual([]);
    await catchUp(service, never);
    const text = await audited.certificate('r5');
    for (const key of keys) expect(holds(text, key)).toBe(true);
    const directory = await logDirectory(audited.settings, service.database);
    expect((await readdir(directory)).sort()).toEqual(['checkpoint', 'signing-key']);
    expect((await stat(keyFile(directory))).mode & 0o777).toBe(0o600);
  });

  test('signs what is stated of a version, though the one before was at hand when it began', async () => {
    const { service } = audited;
    const { pool } = service.database;
    await audited.happen(...several(3));
    await audited.happen(deleted(1, 'r1'));
    await pool.query(
      `UPDATE outbox SET published_at = NULL WHERE version = 2;
       UPDATE versions SET attestation = NULL WHERE version = 2`,
    );
    const entry = encodeLeaf({
      kind: 'delete',
      commitment: null,
      request: new Uint8Array(32).fill(1),
    });
    let rotating: Promise<unknown> | undefined;
    const signer: OpenSigner = async (stale) => {
      const opened = await service.signer(stale);
      rotating ??= rotate().then(() => queueEntries(pool, [entry]));
      await rotating;
      return opened;
    };
    await publishPending({ ...service, topic: service.settings.topics.modelVersions, signer });
    const { publicKey } = parseVerifierKey(await audited.vkey());
    const { rows } = await pool.query('SELECT attestation FROM versions WHERE version = 2');
    for (const envelope of Object.values(rows[0].attestation)) {
      expect(verifyEnvelope(parseEnvelope(envelope), publicKey)).toBe(true);
    }
  });

  test('is taken up by all who are told of it at once, and the next one too', async () => {
    const { service } = audited;
    await audited.happen(...several(3));
    for (let rotation = 0; rotation < 8; rotation++) {
      const stale = await service.signer();
      await rotate();
      const signers = [1, 2, 3, 4].map(() => service.signer(stale));
      const inForce = await audited.vkey();
      for (const { key } of [...(await Promise.all(signers)), await service.signer()]) {
        expect(formatVerifierKey(key)).toBe(inForce);
      }
    }
  });

  test('that did not get to its place before a crash is taken up from beside it', async () => {
    await audited.happen(...several(10));
    const { database } = audited.service;
    const directory = await logDirectory(audited.settings, database);
    const old = await readFile(keyFile(directory), 'utf8');
    const { vkey } = await rotate();
    const key = parseSignerKey((await readFile(keyFile(directory), 'utf8')).trim());
    await writeFile(nextKeyFile(directory, key), `${formatSignerKey(key)}\n`);
    await writeFile(keyFile(directory), old);
    const signer = await openSigner(audited.settings, database);
    expect(formatVerifierKey(signer.key)).toBe(vkey);
    expect((await readdir(directory)).sort()).toEqual(['checkpoint', 'signing-key']);
  });

  test('from the settings is handed over to a file, which the running process reads again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'legonet-test-key-'));
    const file = join(folder, 'key');
    await writeFile(file, `${formatSignerKey(newKey('log.example/1'))}\n`);
    const environment = { LEGONET_SIGNING_KEY_FILE: file };
    const other = await openAudited({ environment });
    try {
      await other.happen(...several(10));
      const output = join(folder, 'new');
      const { database } = other.service;
      await expect(rotateKey(other.settings, database, undefined)).rejects.toMatchObject({
        code: 'wrong_usage',
      });
      await expect(rotateKey(other.settings, database, file)).rejects.toMatchObject({
        code: 'file_exists',
      });
      await rotateKey(other.settings, database, output);
      expect((await stat(output)).mode & 0o777).toBe(0o600);
      await expect(other.happen(deleted(1, 'r1'))).rejects.toMatchObject({
        code: 'signing_key_unknown',
        message: expect.stringContaining('rotated'),
      });
      await writeFile(file, await readFile(output));
      await other.happen(deleted(2, 'r2'));
      for (const request of ['r1', 'r2']) {
        expect(holds(await other.certificate(request), await other.vkey())).toBe(true);
      }
    } finally {
      await other.close();
      await rm(folder, { recursive: true });
    }
  });
});

test('two rotations at once make two keys, one after the other, and none is lost', async () => {
  await audited.happen(...several(10));
  const first = await audited.vkey();
  const outcomes = await Promise.allSettled([rotate(), rotate()]);
  // One may find that its key was rotated since it read it; whoever was let in has its key on record.
  const done = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.vkey] : []));
  expect(done).toContain(await audited.vkey());
  await audited.happen(deleted(1, 'r1'));
  const text = await audited.certificate('r1');
  for (const key of [first, ...done]) expect(holds(text, key)).toBe(true);
});

describe('nothing is signed', () => {
  /** Puts a key on record in the database, as whoever can write there may. */
  async function intrude(entry: (vkey: string) => Uint8Array) {
    const key = newKey((await origin()).origin);
    const vkey = formatVerifierKey(key);
    await transaction(audited.service.database.pool, async (client) => {
      await lockHead(client);
      await recordNextKey(client, vkey, await queueEntries(client, [entry(vkey)]));
    });
    return key;
  }
  const unsigned = (vkey: string) =>
    encodeLeaf({ kind: 'key', vkey, oldKeyId: 1, signature: new Uint8Array(64).fill(7) });

  test('by the log’s key once an attacker has put another on record', async () => {
    await audited.happen(...several(10));
    await intrude(unsigned);
    await expect(audited.happen(deleted(1, 'r1'))).rejects.toMatchObject({
      code: 'signing_key_unknown',
    });
    const { rows } = await audited.service.database.pool.query(
      'SELECT FROM versions WHERE published_at IS NULL',
    );
    expect(rows.length).toBe(1);
  });

  test('by a key that the one before it has not put in force, wherever it comes from', async () => {
    await audited.happen(...several(10));
    const key = await intrude(unsigned);
    const directory = await logDirectory(audited.settings, audited.service.database);
    await writeFile(keyFile(directory), `${formatSignerKey(key)}\n`);
    await expect(audited.happen(deleted(1, 'r1'))).rejects.toMatchObject({
      code: 'rotation_unsound',
    });
    await expect(rotate()).rejects.toMatchObject({ code: 'rotation_unsound' });
  });

  test('by a process that has a data directory, and so a key, of its own', async () => {
    await audited.happen(...several(10));
    const second = await openAudited({ url: audited.url });
    try {
      await expect(second.happen(deleted(1, 'r1'))).rejects.toMatchObject({
        code: 'signing_key_unknown',
        message: expect.stringContaining('LEGONET_SIGNING_KEY_FILE'),
      });
      // Nor is a key made there that would never be of use.
      expect(await readdir(second.folder)).toEqual([]);
    } finally {
      await second.close();
    }
    await audited.happen(deleted(2, 'r2'));
  });

  test('under another name than the log has', async () => {
    await audited.happen(...several(10));
    const settings = readSettings({
      DATABASE_URL: audited.url,
      LEGONET_DATA_DIR: audited.folder,
      LEGONET_LOG_ORIGIN: 'another.example/log',
    });
    await expect(openSigner(settings, audited.service.database)).rejects.toMatchObject({
      code: 'log_origin_fixed',
    });
  });
});

test('the log and its key have the name that is set from the start', async () => {
  const named = await openAudited({ environment: { LEGONET_LOG_ORIGIN: 'named.example/log' } });
  try {
    await named.happen(...several(10));
    expect(parseVerifierKey(await named.vkey()).name).toBe('named.example/log');
  } finally {
    await named.close();
  }
});
