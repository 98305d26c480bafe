import { expect } from 'vitest';
import { plainKernel } from '#src/kernel/plain.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import type { EventLog } from '#src/log/event-log.js';
import { buildModel } from '#src/model/build.js';
import type { Model } from '#src/model/model.js';
import { contentDigest } from '#src/projection/interpret.js';
import type { Topics } from '#src/settings.js';
import { type Database, openDatabase } from '#src/store/database.js';
import type { Expected, History } from './history.js';
import { readLog } from './read-log.js';

/** What two databases with the same log must agree on, whatever happened on the way. */
export type Outcome = { readonly modelDigest: string; readonly samples: unknown };

/** A log to be looked at besides the database. */
export type Logged = {
  readonly log: EventLog;
  readonly topics: Pick<Topics, 'sampleEvents' | 'modelVersions'>;
  /** Whether nothing of a deleted sample may be left in it; else that is on its way, declared. */
  readonly erased: boolean;
};

const EMBEDDED = { sampleEvents: 'legonet.sample-events', modelVersions: 'legonet.model-versions' };

/** Checks every invariant of a database that has caught up with its log, by default the embedded one. */
export async function expectCaughtUp(
  url: string,
  model: Model,
  history: History,
  expected: Expected,
  given?: Logged,
): Promise<Outcome> {
  const database = openDatabase(url, 4);
  const logged = given ?? { log: new EmbeddedLog(database), topics: EMBEDDED, erased: true };
  try {
    await expectProjected(database, expected, logged);
    await expectErased(database, expected, logged);
    await expectRequestsMet(database, history);
    if (!given) await expectRetired(database);
    const modelDigest = await expectBuilt(database, model, expected);
    await expectPublished(database, logged);
    const samples = await all(
      database,
      'SELECT sample_id, label, encoding FROM samples ORDER BY 1',
    );
    return { modelDigest, samples };
  } finally {
    if (!given) await logged.log.close();
    await database.close();
  }
}

const DELETED = 'legonet.sample.deleted.v1';

type Row = Record<string, unknown>;

async function all({ pool }: Database, sql: string): Promise<Row[]> {
  return (await pool.query<Row>(sql)).rows;
}

async function column(database: Database, sql: string): Promise<unknown[]> {
  return (await all(database, sql)).map((row) => Object.values(row)[0]);
}

async function expectProjected(
  database: Database,
  { retained, gone, conflicts }: Expected,
  { log, topics }: Logged,
): Promise<void> {
  const { rows } = await database.pool.query<{ partition: number; position: bigint }>(
    'SELECT partition, position FROM offsets',
  );
  const offsets = new Map(rows.map(({ partition, position }) => [partition, position]));
  for (const [partition, end] of await log.ends(topics.sampleEvents)) {
    expect([partition, offsets.get(partition) ?? 0n]).toEqual([partition, end]);
  }
  const samples = await database.pool.query<{ id: string; label: number; encoding: Buffer }>(
    'SELECT sample_id AS id, label, encoding FROM samples',
  );
  const digests = samples.rows.map(
    ({ id, label, encoding }) => [id, contentDigest(label, Int8Array.from(encoding))] as const,
  );
  expect(new Map(digests.sort())).toEqual(
    new Map([...retained].map(([id, { digest }]) => [id, digest] as const).sort()),
  );
  expect(await column(database, 'SELECT sample_id FROM tombstones ORDER BY 1')).toEqual(
    [...gone].sort(),
  );
  const memberships = await column(
    database,
    `SELECT count(*) FROM memberships m FULL JOIN
       (SELECT partition, position, unnest(adapters) AS adapter FROM samples) AS s
       USING (adapter, partition, position)
     WHERE m.adapter IS NULL OR s.adapter IS NULL`,
  );
  expect(memberships).toEqual([0n]);
  const letters = 'SELECT key, digest FROM dead_letters WHERE digest IS NOT NULL';
  const conflicting = (await all(database, letters)).map(({ key, digest }) => `${key} ${digest}`);
  expect(conflicting.sort()).toEqual(
    [...conflicts].flatMap(([key, own]) => [...own].map((digest) => `${key} ${digest}`)).sort(),
  );
}

/** Of a deleted sample the log holds that it was deleted, and nothing else. */
async function expectErased(
  database: Database,
  { gone }: Expected,
  { log, topics, erased }: Logged,
): Promise<void> {
  expect(await all(database, 'SELECT * FROM restatements')).toEqual([]);
  const waiting = erased ? '' : 'WHERE declared_position IS NULL';
  expect(await all(database, `SELECT * FROM erasures ${waiting}`)).toEqual([]);
  const records = (await readLog(log, topics.sampleEvents)).filter(({ key }) =>
    gone.includes(String(key)),
  );
  for (const { value } of erased ? records : []) {
    if (value !== null) expect(JSON.parse(String(Buffer.from(value))).type).toBe(DELETED);
  }
  expect(new Set(records.map(({ key }) => key))).toEqual(new Set(gone));
  const letters = await column(database, 'SELECT key FROM dead_letters WHERE value IS NOT NULL');
  expect(letters.filter((key) => gone.includes(String(key)))).toEqual([]);
}

async function expectRequestsMet(database: Database, { requests }: History): Promise<void> {
  expect(
    await column(
      database,
      `SELECT request_id || ' ' || target FROM deletions d JOIN versions v USING (version)
       WHERE v.published_at IS NOT NULL ORDER BY (request_id || ' ' || target) COLLATE "C"`,
    ),
  ).toEqual(requests);
  expect(await all(database, 'SELECT * FROM removals')).toEqual([]);
}

/** Whoever still uses a version that held a sample which is gone must have been told. */
async function expectRetired(database: Database): Promise<void> {
  const left = `SELECT v.version FROM versions v, tombstones t
    WHERE t.first_position < (v.cut ->> t.first_partition::text)::bigint
      AND t.position >= (v.cut ->> t.partition::text)::bigint AND v.retired_at IS NULL`;
  expect(await all(database, left)).toEqual([]);
}

async function expectBuilt(database: Database, model: Model, { rows }: Expected): Promise<string> {
  const built = buildModel(plainKernel, model, rows);
  const versions = await database.pool.query<{ version: number; parent: number; digest: string }>(
    'SELECT version, parent, model_digest AS digest FROM versions ORDER BY version',
  );
  expect(versions.rows.map(({ version, parent }) => [version, parent])).toEqual(
    versions.rows.map((_, i) => [i + 1, i === 0 ? null : i]),
  );
  // As long as nothing has come that means anything there is no version.
  if (versions.rows.length === 0 && rows.labels.length === 0) return built.modelDigest;
  expect(versions.rows.at(-1)?.digest).toBe(built.modelDigest);
  expect(await all(database, 'SELECT * FROM dirty_adapters')).toEqual([]);
  const digests = built.adapters.map(({ digest }) => digest);
  const open = `SELECT weights_digest FROM adapter_revisions r WHERE until IS NULL AND NOT erased
    ORDER BY adapter`;
  expect(await column(database, open)).toEqual(digests);
  const inService = 'SELECT weights_digest FROM adapters ORDER BY adapter';
  expect(await column(database, inService)).toEqual(digests);
  // Every revision ends where the adapter's next one begins.
  const broken = `SELECT * FROM (SELECT until, lead(version) OVER (PARTITION BY adapter ORDER BY version)
      AS next FROM adapter_revisions) AS r WHERE until IS DISTINCT FROM next`;
  expect(await all(database, broken)).toEqual([]);
  const weights = `SELECT digest FROM weights w FULL JOIN
      (SELECT DISTINCT weights_digest AS digest FROM adapter_revisions WHERE NOT erased) AS r
      USING (digest) WHERE w.bytes IS NULL OR r.digest IS NULL`;
  expect(await all(database, weights)).toEqual([]);
  return built.modelDigest;
}

/**
 * At least once and in order within a partition, so that whoever drops events by their id has each once.
 */
async function expectPublished(database: Database, { log, topics }: Logged): Promise<void> {
  const outbox = await database.pool.query<{
    id: string;
    value: Buffer;
    published_at: Date | null;
  }>('SELECT event_id AS id, value, published_at FROM outbox ORDER BY outbox.id');
  expect(outbox.rows.filter(({ published_at }) => published_at === null)).toEqual([]);
  const first = new Map<string, { text: string; partition: number }>();
  for (const { value, partition } of await readLog(log, topics.modelVersions)) {
    const text = String(value && Buffer.from(value));
    const { id } = JSON.parse(text);
    expect(first.get(id)?.text ?? text).toBe(text);
    if (!first.has(id)) first.set(id, { text, partition });
  }
  const sent = outbox.rows.map(({ id, value }) => [id, String(value)]);
  for (const partition of new Set([...first.values()].map((one) => one.partition))) {
    const own = [...first].filter(([, one]) => one.partition === partition);
    const here = new Set(own.map(([id]) => id));
    expect(own.map(([id, { text }]) => [id, text])).toEqual(
      sent.filter(([id]) => here.has(String(id))),
    );
  }
  expect([...first.keys()].sort()).toEqual(sent.map(([id]) => id).sort());
  const published = sent
    .map(([, text]) => JSON.parse(String(text)))
    .filter(({ type }) => type === 'legonet.model.version.published.v1')
    .map(({ data }) => data.version);
  expect(published).toEqual(published.map((_, i) => i + 1));
  const versions = 'SELECT version FROM versions WHERE published_at IS NOT NULL ORDER BY 1';
  expect(await column(database, versions)).toEqual(published);
  const retired = 'SELECT version FROM versions WHERE retired_at IS NOT NULL ORDER BY 1';
  const told = `SELECT version FROM outbox WHERE kind = 'retired' ORDER BY 1`;
  expect(await column(database, told)).toEqual(await column(database, retired));
}
