import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeLeaf } from '#src/audit/leaves.js';
import { parseBundle } from '#src/audit/log/bundle.js';
import { sealOld } from '#src/projection/seal-old.js';
import { replay } from '#src/service/replay.js';
import { openDatabase } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { receiptOf } from '#src/store/receipts.js';
import { readBundle } from '#src/store/tlog.js';
import { sequence } from '#src/store/tlog-sequence.js';
import {
  type Audited,
  deleted,
  holds,
  ingested,
  openAudited,
  several,
} from '../support/audited.js';
import type { TestDatabase } from '../support/database.js';
import { copyAsOld } from '../support/old-database.js';

let old: TestDatabase;
let audited: Audited;

beforeEach(async () => {
  const before = await openAudited();
  try {
    await before.happen(...several(40));
    await before.happen(deleted(1, 'r1'));
    old = await copyAsOld(before.service.database);
  } finally {
    await before.close();
  }
  const database = openDatabase(old.url, 1);
  await migrate(database);
  await database.close();
  audited = await openAudited({ url: old.url });
});
afterEach(async () => {
  await audited.close();
  await old.drop();
});

async function kinds(): Promise<string[]> {
  const { database } = audited.service;
  await sequence(database);
  const bundle = await readBundle(database.pool, 0);
  return bundle ? parseBundle(bundle).map((entry) => decodeLeaf(entry).kind) : [];
}

const unsealed = async () => {
  const { rows } = await audited.service.database.pool.query(
    'SELECT FROM samples WHERE salt IS NULL OR membership IS NULL OR leaf_entry IS NULL',
  );
  return rows.length;
};

test('samples from before the audit log are put into it once, whoever comes at the same time', async () => {
  const { database, model } = audited.service;
  expect(await unsealed()).toBe(39);
  const counts = await Promise.all([1, 2, 3].map(() => sealOld(database, model)));
  expect(counts.reduce((sum, count) => sum + count)).toBe(39);
  expect(await sealOld(database, model)).toBe(0);
  expect(await unsealed()).toBe(0);
  expect(await kinds()).toEqual(Array.from({ length: 39 }, () => 'ingest'));
});

test('their deletions are certified as those of any sample, the first event after the upgrade too', async () => {
  await audited.happen(deleted(2, 'r2'));
  expect(await unsealed()).toBe(0);
  await audited.happen(ingested(60), deleted(3, 'r3'));
  const vkey = await audited.vkey();
  for (const request of ['r2', 'r3'])
    expect(holds(await audited.certificate(request), vkey)).toBe(true);
  // No version with an entry held the first one: its ingest is proven instead.
  expect(JSON.parse(await audited.certificate('r2'))).toMatchObject({ before: null, ingested: {} });
  expect(JSON.parse(await audited.certificate('r3')).before).not.toBeNull();
  await receiptOf(audited.service.database, 's5');
});

test('a deletion from before the audit log has no certificate, and it is said why', async () => {
  await audited.happen(deleted(2, 'r2'));
  await expect(audited.certificate('r1')).rejects.toMatchObject({
    code: 'nothing_deleted',
    message: expect.stringContaining('before there was an audit log'),
  });
});

test('with nothing new to project they are sealed all the same, and a replay keeps what they have', async () => {
  await audited.happen();
  expect(await unsealed()).toBe(0);
  const commitments = async () =>
    (
      await audited.service.database.pool.query(
        'SELECT sample_id, commitment FROM samples ORDER BY sample_id',
      )
    ).rows;
  const before = await commitments();
  await replay(audited.service, new AbortController().signal, () => {});
  expect(await commitments()).toEqual(before);
});

test('a replay right after the upgrade seals them before it drops them', async () => {
  await replay(audited.service, new AbortController().signal, () => {});
  expect(await unsealed()).toBe(0);
  await audited.happen(deleted(2, 'r2'));
  expect(holds(await audited.certificate('r2'), await audited.vkey())).toBe(true);
  expect((await kinds()).filter((kind) => kind === 'ingest').length).toBe(39);
});
