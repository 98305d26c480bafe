import { expect } from 'vitest';
import { plainKernel } from '#src/kernel/plain.js';
import { buildModel } from '#src/model/build.js';
import type { Model } from '#src/model/model.js';
import { contentDigest } from '#src/projection/interpret.js';
import { type Database, openDatabase } from '#src/store/database.js';
import type { Expected, History } from './history.js';

/** What two databases with the same log must agree on, whatever happened on the way. */
export type Outcome = { readonly modelDigest: string; readonly samples: unknown };

/** Checks every invariant of a database that has caught up with its log. */
export async function expectCaughtUp(
  url: string,
  model: Model,
  history: History,
  expected: Expected,
): Promise<Outcome> {
  const database = openDatabase(url, 2);
  try {
    await expectProjected(database, expected);
    await expectErased(database, expected);
    await expectRequestsMet(database, history);
    const modelDigest = await expectBuilt(database, model, expected);
    await expectPublished(database);
    const samples = await all(
      database,
      'SELECT sample_id, label, encoding FROM samples ORDER BY 1',
    );
    return { modelDigest, samples };
  } finally {
    await database.close();
  }
}

type Row = Record<string, unknown>;

async function all({ pool }: Database, sql: string): Promise<Row[]> {
  return (await pool.query<Row>(sql)).rows;
}

async function column(database: Database, sql: string): Promise<unknown[]> {
  return (await all(database, sql)).map((row) => Object.values(row)[0]);
}

async function expectProjected(database: Database, { retained, gone }: Expected): Promise<void> {
  const [offsets] = await all(
    database,
    `SELECT (SELECT position FROM offsets) AS at,
            (SELECT max(position) + 1 FROM log_records WHERE topic = 'legonet.sample-events') AS "end"`,
  );
  expect(offsets?.at).toBe(offsets?.end);
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
}

/** Of a deleted sample the log holds that it was deleted, and nothing else. */
async function expectErased(database: Database, { gone }: Expected): Promise<void> {
  expect(await all(database, 'SELECT * FROM erasures')).toEqual([]);
  const { rows } = await database.pool.query<{ key: string; value: Buffer | null }>(
    `SELECT key, value FROM log_records WHERE topic = 'legonet.sample-events' AND key = ANY($1)`,
    [gone],
  );
  for (const { value } of rows) {
    if (value !== null) expect(JSON.parse(String(value)).type).toBe('legonet.sample.deleted.v1');
  }
  expect(new Set(rows.map(({ key }) => key))).toEqual(new Set(gone));
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
  // Whoever still uses a version that held a sample which is gone must have been told.
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

/** At least once and in order, so that whoever drops events by their id has each once. */
async function expectPublished(database: Database): Promise<void> {
  const outbox = await database.pool.query<{
    id: string;
    value: Buffer;
    published_at: Date | null;
  }>('SELECT event_id AS id, value, published_at FROM outbox ORDER BY outbox.id');
  expect(outbox.rows.filter(({ published_at }) => published_at === null)).toEqual([]);
  const topic = await database.pool.query<{ value: Buffer }>(
    `SELECT value FROM log_records WHERE topic = 'legonet.model-versions' ORDER BY position`,
  );
  const first = new Map<string, string>();
  for (const { value } of topic.rows) {
    const text = String(value);
    const { id } = JSON.parse(text);
    expect(first.get(id) ?? text).toBe(text);
    first.set(id, text);
  }
  expect([...first]).toEqual(outbox.rows.map(({ id, value }) => [id, String(value)]));
  const published = [...first.values()]
    .map((text) => JSON.parse(text))
    .filter(({ type }) => type === 'legonet.model.version.published.v1')
    .map(({ data }) => data.version);
  expect(published).toEqual(published.map((_, i) => i + 1));
  const versions = 'SELECT version FROM versions WHERE published_at IS NOT NULL ORDER BY 1';
  expect(await column(database, versions)).toEqual(published);
  const retired = 'SELECT version FROM versions WHERE retired_at IS NOT NULL ORDER BY 1';
  const told = `SELECT version FROM outbox WHERE kind = 'retired' ORDER BY 1`;
  expect(await column(database, told)).toEqual(await column(database, retired));
}
