import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import { buildModel } from '#src/model/build.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { saveModel } from '#src/store/model.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { pick, syntheticRows, tinyModel } from '../support/models.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TOPIC = 'legonet.sample-events';
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

// Many adapters: a build takes seconds, and hardly any memory.
const model = tinyModel({ adapters: 1500, activated: 3 });
const COUNT = 16_000;
const rows = syntheticRows('stop', COUNT, model.shape.dimension, model.shape.classes);
const ingests = Array.from({ length: COUNT }, (_, i) => {
  const { dimension } = model.shape;
  const data = {
    sampleId: `s${i}`,
    label: model.configuration.classes[rows.labels[i] ?? 0] ?? '',
    encoding: int8Data(rows.encodings.slice(i * dimension, (i + 1) * dimension)),
  };
  return toNewRecord(sampleIngested(data, { id: `i${i}`, source: 's' }));
});
const DELETED = 7;
const deletion = toNewRecord(sampleDeleted({ sampleId: `s${DELETED}` }, { id: 'd', source: 's' }));

let created: TestDatabase;
let database: Database;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  created = await createTestDatabase();
  database = openDatabase(created.url, 3);
  await saveModel(database, model, {});
});

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await database.close();
  await created.drop();
});

async function append(records: typeof ingests): Promise<void> {
  const log = new EmbeddedLog(database);
  for (let from = 0; from < records.length; from += 2000) {
    await log.append(TOPIC, records.slice(from, from + 2000));
  }
}

type Started = {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
  /** Resolves when stderr has the text. */
  said(text: string): Promise<void>;
};

function start(...options: string[]): Started {
  const env = { ...process.env, DATABASE_URL: created.url, LEGONET_BUILD_DELAY_MS: '0' };
  const child = spawn(process.execPath, [MAIN, 'start', ...options], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code, signal, stderr };
  });
  const said = async (text: string) => {
    while (!stderr.includes(text)) await once(child.stderr, 'data');
  };
  return { child, ended, said };
}

async function waitFor(sql: string): Promise<void> {
  while ((await database.pool.query(sql)).rowCount === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const count = async (table: string) =>
  Number((await database.pool.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n);

/** What is projected and built later is what would have been without any of this. */
async function expectNothingLost(ingested: number, deleted: boolean): Promise<void> {
  const { code, stderr } = await start('--once').ended;
  expect(code, stderr).toBe(0);
  const kept = Array.from({ length: ingested }, (_, i) => i).filter(
    (i) => !deleted || i !== DELETED,
  );
  const retained = pick(rows, kept, model.shape.dimension);
  const { modelDigest } = buildModel(plainKernel, model, retained);
  const { rows: versions } = await database.pool.query(
    'SELECT model_digest, retained FROM versions WHERE published_at IS NOT NULL ORDER BY version',
  );
  expect(versions.at(-1)).toEqual({
    model_digest: modelDigest,
    retained: BigInt(kept.length),
  });
}

/** A worker thread reads an adapter's members. */
const BUILDING = `SELECT FROM pg_stat_activity WHERE datname = current_database()
  AND query LIKE '%int2send(label)%' AND pid <> pg_backend_pid()`;

describe.each(SIGNALS)('%s', (signal) => {
  test('while events are projected: the process ends by itself, and nothing is lost', async () => {
    await append(ingests);
    const { child, ended } = start('--roles', 'project');
    await waitFor('SELECT FROM offsets WHERE position > 0');
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, signal: null });
    const { rows: offsets } = await database.pool.query('SELECT position FROM offsets');
    expect(offsets[0].position).toBeLessThan(BigInt(COUNT));
    expect(offsets[0].position).toBe(BigInt(await count('samples')));
    await append([deletion]);
    await expectNothingLost(COUNT, true);
  });

  test('while a version is built: the process ends by itself, and nothing is half done', async () => {
    const few = ingests.slice(0, 2000);
    await append(few);
    const { child, ended } = start();
    await waitFor(BUILDING);
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, signal: null });
    expect(await count('versions')).toBe(0);
    expect(await count('weights')).toBe(0);
    expect(await count('dirty_adapters')).toBeGreaterThan(0);
    await append([deletion]);
    await expectNothingLost(few.length, true);
  });

  test('twice while it cannot stop yet: the process ends at once', async () => {
    await append(ingests.slice(0, 100));
    const locked = await database.pool.connect();
    try {
      // Whoever projects waits for this lock, for as long as it takes.
      await locked.query('BEGIN; LOCK TABLE samples IN ACCESS EXCLUSIVE MODE');
      const { child, ended, said } = start();
      await waitFor(`SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock'`);
      child.kill(signal);
      await said('stopping');
      expect(child.exitCode).toBeNull();
      child.kill(signal);
      const code = signal === 'SIGTERM' ? 143 : 130;
      expect(await ended).toMatchObject({ code, signal: null });
    } finally {
      await locked.query('ROLLBACK');
      locked.release();
    }
    await expectNothingLost(100, false);
  });
});

test('a signal before there is anything to do ends it just the same', async () => {
  const { child, ended, said } = start();
  await said('running');
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain('failed');
});
