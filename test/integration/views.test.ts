import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { readDeletions, readSample, readVersions } from '#src/store/audit.js';
import { sqlState, transaction } from '#src/store/database.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventfulHistory, toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/how-to/audit-views.md'), 'utf8');
const PAYLOAD = 'a payload that nobody can read';
const model = tinyModel();
const history = eventfulHistory(model);

let database: TestDatabase;
let pipeline: Pipeline;
beforeAll(async () => {
  database = await createTestDatabase();
  pipeline = new Pipeline(database.url, model, await loadWasmKernel());
  await pipeline.begin();
  for (const phase of history.phases) {
    await pipeline.append(phase);
    await pipeline.finish();
  }
  const data = { sampleId: 'kept', label: 'a', encoding: [1, 2, 3, 4], subjectId: 'carol' };
  await pipeline.append([
    toNewRecord(sampleIngested(data, { id: 'i-kept', source: 'urn:test' })),
    { key: 'odd', value: Buffer.from(PAYLOAD), headers: { 'content-type': 'text/odd-header' } },
  ]);
  await pipeline.finish();
});
afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

type Row = Record<string, unknown>;

/** Everything in it is asked with an auditor's rights; undone in the end. */
const asAuditor = <T>(work: (client: PoolClient) => Promise<T>): Promise<T> =>
  transaction(pipeline.database.pool, async (client) => {
    await client.query('SET LOCAL ROLE legonet_auditor');
    return work(client);
  });

const rows = async (sql: string): Promise<Row[]> =>
  asAuditor(async (client) => (await client.query<Row>(sql)).rows);

const owned = async (sql: string): Promise<Row[]> =>
  (await pipeline.database.pool.query<Row>(sql)).rows;

/** SQLSTATE of what an auditor asks, or undefined if it works. */
const refusal = (sql: string): Promise<string | undefined> =>
  asAuditor((client) => client.query(sql)).then(
    () => undefined,
    (error) => sqlState(error),
  );

const names = async (schema: string): Promise<string[]> => {
  const found = await owned(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '${schema}' ORDER BY 1`,
  );
  return found.map(({ name }) => String(name));
};

const DENIED = '42501';
const NOT_WRITABLE = '55000';

describe('the auditor', () => {
  test('reads every view, and not one table', async () => {
    const views = await names('audit');
    expect(views.length).toBeGreaterThan(10);
    for (const view of views) {
      expect(await refusal(`SELECT * FROM audit.${view}`), view).toBe(undefined);
    }
    const tables = await names('public');
    expect(tables).toContain('samples');
    for (const table of tables) {
      expect(await refusal(`SELECT FROM public.${table}`), table).toBe(DENIED);
      const [right] = await owned(
        `SELECT has_table_privilege('legonet_auditor', 'public.${table}',
           'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
           OR has_any_column_privilege('legonet_auditor', 'public.${table}',
           'SELECT, INSERT, UPDATE, REFERENCES') AS any`,
      );
      expect(right, table).toEqual({ any: false });
    }
  });

  test('writes nothing through a view, and makes nothing beside them', async () => {
    for (const view of await names('audit')) {
      const [right] = await owned(
        `SELECT has_table_privilege('legonet_auditor', 'audit.${view}',
           'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS any`,
      );
      expect(right, view).toEqual({ any: false });
      // What joins cannot be written by anybody.
      expect([DENIED, NOT_WRITABLE]).toContain(await refusal(`DELETE FROM audit.${view}`));
    }
    expect(await refusal(`UPDATE audit.deleted_samples SET erased_at = now()`)).toBe(DENIED);
    expect(await refusal('CREATE TABLE audit.mine ()')).toBe(DENIED);
    expect(await refusal('DROP VIEW audit.samples')).toBe(DENIED);
    expect(await refusal(`SELECT nextval('public.dead_letters_id_seq')`)).toBe(DENIED);
  });

  test('cannot have a view run with rights that are not its owner’s, or look behind its rows', async () => {
    const options = await owned(
      `SELECT relname AS name, reloptions AS options FROM pg_class
       WHERE relnamespace = 'audit'::regnamespace ORDER BY 1`,
    );
    expect(options.map(({ options: of }) => of)).toEqual(
      (await names('audit')).map(() => ['security_barrier=true']),
    );
  });
});

describe('the views', () => {
  test('hold no encoding, digest of content, payload, header or weight', async () => {
    const types = await owned(
      `SELECT table_name, column_name FROM information_schema.columns
       WHERE table_schema = 'audit' AND data_type = 'bytea'`,
    );
    expect(types).toEqual([]);
    const said: string[] = [];
    for (const view of await names('audit')) {
      // The configuration names public digests and numbers; nothing in it is of a sample.
      const found = await rows(`SELECT to_jsonb(v)::text AS row FROM audit.${view} v`);
      expect(found.length, view).toBeGreaterThan(view === 'erasures_waiting' ? -1 : 0);
      said.push(...found.map(({ row }) => String(row)));
    }
    const secrets = await owned(
      `SELECT encoding AS bytes FROM samples UNION ALL SELECT bytes FROM weights
       UNION ALL SELECT ingest_digest FROM samples WHERE ingest_digest IS NOT NULL
       UNION ALL SELECT correction_digest FROM samples WHERE correction_digest IS NOT NULL
       UNION ALL SELECT sums FROM adapter_statistics
       UNION ALL SELECT value FROM dead_letters WHERE value IS NOT NULL`,
    );
    const text = said.join('\n');
    expect(secrets.length).toBeGreaterThan(50);
    for (const { bytes } of secrets as { bytes: Buffer }[]) {
      if (bytes.length < 4) continue;
      expect(text).not.toContain(bytes.toString('hex'));
      expect(text).not.toContain(bytes.toString('base64'));
      expect(text).not.toContain(JSON.stringify([...new Int8Array(bytes)]).slice(1, -1));
    }
    expect(text).not.toContain(PAYLOAD);
    expect(text).not.toContain('odd-header');
  });

  test('have the columns that the page says, and no others', async () => {
    const columns = await owned(
      `SELECT table_name AS view, column_name AS name FROM information_schema.columns
       WHERE table_schema = 'audit' ORDER BY table_name, ordinal_position`,
    );
    const documented = PAGE.split('\n## audit.')
      .slice(1)
      .flatMap((section) => {
        const view = section.slice(0, section.indexOf('\n'));
        const cells = [...section.matchAll(/^\| (`[^|]+`) +\|/gm)].map(([, cell = '']) => cell);
        return cells.flatMap((cell) =>
          [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => ({ view, name })),
        );
      });
    const sorted = (list: readonly Row[]) => list.map(({ view, name }) => `${view}.${name}`).sort();
    expect(sorted(documented)).toEqual(sorted(columns));
  });

  test('give each sample the adapters that it has, nearest first', async () => {
    const found = await rows(
      `SELECT sample_id, array_agg(adapter ORDER BY rank) AS adapters FROM audit.memberships
       GROUP BY sample_id ORDER BY sample_id`,
    );
    expect(found).toEqual(await owned('SELECT sample_id, adapters FROM samples ORDER BY 1'));
    const labels = await rows('SELECT DISTINCT label FROM audit.samples ORDER BY 1');
    expect(labels).toEqual([{ label: 'a' }, { label: 'b' }, { label: 'c' }]);
  });

  test('tell which versions held a sample as the command line does', async () => {
    const found = await rows(
      `SELECT sample_id AS "sampleId", min(version) AS "firstVersion", max(version) AS "lastVersion"
       FROM audit.version_samples GROUP BY 1`,
    );
    expect(found.length).toBeGreaterThan(30);
    for (const { sampleId, ...versions } of found) {
      const report = await readSample(pipeline.database.pool, String(sampleId));
      expect(report).toMatchObject(versions);
    }
  });

  test('give every version all of its adapters', async () => {
    const versions = await readVersions(pipeline.database.pool);
    const found = await rows(
      `SELECT version, count(*)::int AS adapters,
              count(*) FILTER (WHERE built_in_version = version)::int AS rebuilt
       FROM audit.version_adapters GROUP BY 1 ORDER BY 1`,
    );
    expect(found).toEqual(
      versions.map(({ version, rebuilt }) => ({
        version,
        adapters: model.configuration.adapters,
        rebuilt: rebuilt.length,
      })),
    );
  });

  test('follow a request from its arrival to the erasure, and back when more comes', async () => {
    const state = async () =>
      (await rows(`SELECT state FROM audit.deletions WHERE request_id = 'r-view'`))[0]?.state;
    const event = sampleDeleted(
      { sampleId: 's7', requestId: 'r-view' },
      { id: 'e-view', source: 'urn:test' },
    );
    await pipeline.append([toNewRecord(event)]);
    expect(await state()).toBe(undefined);
    await pipeline.project(100);
    expect(await state()).toBe('requested');
    await pipeline.build();
    expect(await state()).toBe('applied');
    await pipeline.publish();
    expect(await state()).toBe('erased');
    await owned(`INSERT INTO erasures (key, partition, first_position, last_position)
                 VALUES ('s7', 0, 9, 9)`);
    expect(await state()).toBe('published');
    expect(await rows('SELECT key, since FROM audit.erasures_waiting')).toHaveLength(1);
    await owned('DELETE FROM erasures');
    expect(await rows(`SELECT request_id FROM audit.deletions WHERE state <> 'erased'`)).toEqual(
      [],
    );
    const reports = await readDeletions(pipeline.database.pool);
    expect(await rows('SELECT request_id FROM audit.deletions')).toHaveLength(reports.length);
    // A replay that has not come to the deletion yet knows nothing of what is erased.
    await transaction(pipeline.database.pool, async (client) => {
      await client.query('TRUNCATE tombstones, subject_erasures');
      const { rows: found } = await client.query('SELECT DISTINCT state FROM audit.deletions');
      expect(found).toEqual([{ state: 'published' }]);
      throw new Error('undone');
    }).catch((error) => expect(error.message).toBe('undone'));
  });

  test('find a sample, a request and an adapter’s members by their indexes', async () => {
    const plan = (sql: string) =>
      asAuditor(async (client) => {
        await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
        const { rows: lines } = await client.query<Row>(`EXPLAIN ${sql}`);
        return lines.map((line) => line['QUERY PLAN']).join('\n');
      });
    const sample = await plan(`SELECT * FROM audit.memberships WHERE sample_id = 's1'`);
    expect(sample).toMatch(/Index Cond: \(sample_id = 's1'/);
    expect(sample).toMatch(/memberships_pkey.*\n.*Index Cond: \(\(adapter = ANY/);
    const adapter = await plan('SELECT * FROM audit.memberships WHERE adapter = 3');
    expect(adapter).toMatch(/memberships_pkey.*\n.*Index Cond: .*adapter = 3/);
    const held = await plan(`SELECT * FROM audit.version_samples WHERE sample_id = 's1'`);
    expect(held.match(/Index Cond: \(sample_id = 's1'/g)).toHaveLength(2);
    const request = await plan(`SELECT * FROM audit.deletions WHERE request_id = 'r-1'`);
    expect(request).toMatch(/Index Cond: \(\(?request_id = 'r-1'/);
    expect(request).toMatch(/tombstones_by_request/);
  });

  test('answer the questions of the page', async () => {
    const [questions = ''] = /(?<=```sql ask\n)[^`]+/.exec(PAGE) ?? [];
    const statements = questions.split(';').filter((statement) => /SELECT/.test(statement));
    expect(statements.length).toBeGreaterThan(4);
    for (const statement of statements) expect(await refusal(statement), statement).toBe(undefined);
  });
});

test('the page grants what the migration grants', () => {
  const migration = readFileSync(
    join(import.meta.dirname, '../../migrations/0005_audit_views.sql'),
    'utf8',
  );
  const granted = (text: string) =>
    [...(/GRANT SELECT ON ([^;]+) TO/.exec(text)?.[1]?.matchAll(/audit\.\w+/g) ?? [])].join(' ');
  expect(granted(PAGE)).toBe(granted(migration));
});
