import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type CloudEvent,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
} from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { announceDeadLetters } from '#src/publish/dead-letters.js';
import { connect } from '#src/store/database.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';

/** Tables of which several transactions lock rows, in the order in which they do; then in order of the key. */
const KEYS = {
  adapters: 'adapter',
  deletions: 'request_id, kind, target',
  dirty_adapters: 'adapter, partition',
  erasures: 'key, partition',
  tombstones: 'sample_id',
  restatements: 'sample_id, partition',
  versions: 'version',
} as const;
type Table = keyof typeof KEYS;
const TABLES = Object.keys(KEYS) as Table[];

// Two adapters of all samples: whatever is removed touches all.
const model = tinyModel({ adapters: 2, activated: 2 });
const kernel = await loadWasmKernel();

let made: TestDatabase;
let pipeline: Pipeline;
let holder: pg.Client;
let other: pg.Client;

beforeEach(async () => {
  made = await createTestDatabase();
  pipeline = new Pipeline(made.url, model, kernel, true);
  holder = await connect(made.url);
  other = await connect(made.url);
  await pipeline.begin();
});
afterEach(async () => {
  await holder.end();
  await other.end();
  await pipeline.close();
  await made.drop();
});

const query = (sql: string) => pipeline.database.pool.query(sql);
const meta = (id: string) => ({ id, source: 'urn:test', time: '2024-01-01T12:00:00Z' });
const content = (i: number) => ({ sampleId: `s${i}`, label: 'a', encoding: [i, 1, 2, 3] });
const ingest = (i: number, id = `i${i}`) => sampleIngested(content(i), meta(id));
const remove = (i: number) => sampleDeleted({ sampleId: `s${i}` }, meta(`d${i}`));
const correct = (i: number) =>
  sampleCorrected({ ...content(i), encoding: [9, 9, 9, i] }, meta(`c${i}`));

const append = (events: readonly CloudEvent[]) => pipeline.append(events.map(toNewRecord));
async function project(...events: readonly CloudEvent[]): Promise<void> {
  await append(events);
  await pipeline.project(1000);
}

/** Two versions with all samples, and two requests that no version has met; the later one by id came first. */
async function prepare(): Promise<void> {
  await project(...Array.from({ length: 8 }, (_, i) => ingest(i)));
  await pipeline.build();
  await project(ingest(8));
  await pipeline.build();
  await project(remove(1));
  await project(remove(0));
  // Its row now comes after that of the second, where it is stored.
  await query('UPDATE versions SET published_at = NULL WHERE version = 1');
}

/** Deleted samples that the log has yet to forget, the later one by id first. */
const erase = () =>
  query(
    `INSERT INTO erasures (key, partition, first_position, last_position, declared_position, declared_at)
     SELECT sample_id, 0, 0, position, position + 1, now() FROM tombstones ORDER BY sample_id DESC`,
  );

/** Samples that the log has yet to be told again. */
const restate = () =>
  query(
    `INSERT INTO restatements (sample_id, partition, position, raw)
     SELECT sample_id, partition, position, true FROM samples
     WHERE sample_id IN ('s3', 's4') ORDER BY sample_id DESC`,
  );

/** The first row of each that the transactions here lock. */
const FIRST: Readonly<Record<Table, string>> = {
  adapters: 'adapter = 0',
  deletions: `request_id = 'd0'`,
  dirty_adapters: 'adapter = 0',
  erasures: `key = 's0'`,
  tombstones: `sample_id = 's0'`,
  restatements: `sample_id = 's3'`,
  versions: 'version = 1',
};

const WAITING = `SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;
const somebodyWaits = () =>
  expect
    .poll(async () => (await other.query(WAITING)).rowCount, { timeout: 20_000 })
    .toBeGreaterThan(0);

/** Runs `work` with its first row of a table held by another: rows that come later must be free. */
async function expectInOrder(
  table: Table,
  work: (begin: () => Promise<void>) => Promise<unknown>,
): Promise<void> {
  const hold = async () => {
    await holder.query('BEGIN');
    const sql = `SELECT FROM ${table} WHERE ${FIRST[table]} FOR UPDATE`;
    expect((await holder.query(sql)).rowCount).toBe(1);
  };
  const running = work(hold);
  const isFree = (name: Table, which: string) =>
    other.query(`SELECT FROM ${name} WHERE ${which} FOR NO KEY UPDATE NOWAIT`);
  try {
    await somebodyWaits();
    await isFree(table, `NOT (${FIRST[table]})`);
    for (const later of TABLES.slice(TABLES.indexOf(table) + 1)) await isFree(later, 'true');
  } finally {
    await holder.query('ROLLBACK');
    await running;
  }
}

test.each(TABLES.filter((table) => table !== 'versions'))('a projection, at %s', async (table) => {
  await prepare();
  await erase();
  await restate();
  // In an order that is not that of the rows.
  await append([
    ...[remove(1), remove(0), ingest(1, 'late-1'), ingest(0, 'late-0')],
    ...[correct(4), correct(3), ingest(9), remove(9)],
  ]);
  await expectInOrder(table, async (begin) => {
    await begin();
    await pipeline.project(1000);
  });
});

test.each(['adapters', 'deletions', 'dirty_adapters', 'versions'] as const)(
  'the commit of a version, at %s',
  async (table) => {
    await prepare();
    await expectInOrder(table, (begin) => pipeline.build(begin));
  },
);

test.each(['erasures', 'tombstones'] as const)('what is erased, at %s', async (table) => {
  await prepare();
  await query('UPDATE tombstones SET erased_at = NULL');
  await erase();
  await expectInOrder(table, (begin) => pipeline.erase(begin));
});

test('what is written again, at restatements', async () => {
  await prepare();
  await restate();
  await expectInOrder('restatements', async (begin) => {
    await begin();
    await pipeline.restate();
  });
});

test('publication, at versions', async () => {
  await prepare();
  await query(`UPDATE versions SET attestation = '{}'`);
  await expectInOrder('versions', async (begin) => {
    await begin();
    await pipeline.publish();
  });
});

test('dead letters are told of without waiting for one that is held', async () => {
  const unknown = { ...content(0), label: 'no class' };
  await project(...['x', 'y', 'z'].map((id) => sampleIngested(unknown, meta(id))));
  await holder.query(`BEGIN; SELECT FROM dead_letters ORDER BY id LIMIT 1 FOR UPDATE`);
  const topic = 'dead-letters';
  await announceDeadLetters({ database: pipeline.database, log: pipeline.log, topic });
  const { rows } = await query(
    'SELECT announced_at IS NOT NULL AS told FROM dead_letters ORDER BY id',
  );
  expect(rows.map(({ told }) => told)).toEqual([false, true, true]);
});

test('nothing is said to be erased that a batch under way has met again', async () => {
  await prepare();
  await query('UPDATE tombstones SET erased_at = NULL');
  await erase();
  await append([ingest(0, 'late')]);
  const running = pipeline.erase(async () => {
    // As the projection of another partition does it.
    await holder.query(
      `BEGIN; INSERT INTO erasures (key, partition, first_position, last_position, declared_position,
                                    declared_at)
       SELECT 's0', 1, 0, max(position), max(position) + 1, now() FROM log_records;
       UPDATE tombstones SET erased_at = NULL WHERE sample_id = 's0'`,
    );
  });
  await somebodyWaits();
  await holder.query('COMMIT');
  await running;
  const { rows } = await query(
    'SELECT sample_id AS id, erased_at IS NOT NULL AS erased FROM tombstones ORDER BY 1',
  );
  expect(rows).toEqual([
    { id: 's0', erased: false },
    { id: 's1', erased: true },
  ]);
});
