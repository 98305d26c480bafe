import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certificateOf } from '#src/store/certificates.js';
import { openDatabase } from '#src/store/database.js';
import { type Ended, legonet } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { engines, softmax } from '../support/engines.js';

/*
 * A softmax model through the command line, on WebAssembly: what it is pinned to, and what happens elsewhere.
 */

const MODEL = {
  name: 'pets',
  classes: ['cat', 'dog'],
  encoder: { kind: 'identity', dimension: 4, scale: 10 },
  keys: { kind: 'random', seed: 'pets' },
  adapters: 8,
  activated: 2,
  adapter: softmax({ batch: 8 }),
};

let folder: string;
let database: TestDatabase;
let environment: Record<string, string>;

const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<Ended> => legonet(args, environment);

async function done(...args: string[]) {
  const ended = await run(...args);
  if (ended.code !== 0) throw new Error(`${args.join(' ')}: ${ended.stderr}${ended.stdout}`);
  return ended;
}

const json = async (...args: string[]) => JSON.parse((await done(...args, '--json')).stdout);

async function sql(text: string, values: unknown[] = []) {
  const opened = openDatabase(database.url);
  try {
    return (await opened.pool.query(text, values)).rows;
  } finally {
    await opened.close();
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'legonet-test-softmax-'));
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url,
    LOG_LEVEL: 'error',
    LEGONET_DATA_DIR: at('data-dir'),
    LEGONET_BUILD_DELAY_MS: '0',
    LEGONET_ENGINE: 'wasm',
  };
  writeFileSync(at('MODEL.json'), JSON.stringify(MODEL));
  const rows = Array.from({ length: 60 }, (_, i) =>
    [i % 7, (i * 3) % 11, (i * 5) % 13, i % 2 === 0 ? -5 : 5, i % 2 === 0 ? 'cat' : 'dog'].join(),
  );
  writeFileSync(at('pets.csv'), `${rows.join('\n')}\n`);
  writeFileSync(at('unknown.csv'), `${rows.map((row) => row.slice(0, -4)).join('\n')}\n`);
  await done('init', at('MODEL.json'));
  await done('ingest', at('pets.csv'));
  await done('start', '--once');
}, 600_000);
afterAll(async () => {
  await database?.drop();
  rmSync(folder, { recursive: true });
});

const sampleId = async () => (await sql('SELECT sample_id AS id FROM samples LIMIT 1'))[0].id;

test('a deletion gives what a build from scratch gives, and each version names its backend', async () => {
  const { requestId, rebuilt } = await json('delete', '--sample', await sampleId(), '--wait');
  expect(rebuilt).toHaveLength(2);
  expect(await json('rebuild', '--from-scratch', '--check')).toMatchObject({ equal: true });
  const { backend } = await json('status');
  expect(backend).toMatchObject({ engine: 'wasm', probe: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const [{ attestation }] = await sql('SELECT attestation FROM versions WHERE version = 2');
  const provenance = JSON.parse(Buffer.from(attestation.provenance.payload, 'base64').toString());
  expect(provenance.predicate.buildDefinition.internalParameters.backend).toEqual(backend);
  await verifiesAtLevel3(requestId);
}, 600_000);

async function verifiesAtLevel3(requestId: string) {
  const opened = openDatabase(database.url);
  writeFileSync(at('certificate.json'), await certificateOf(opened, { requestId }));
  await opened.close();
  const [{ vkey }] = await sql('SELECT vkey FROM tlog_keys');
  await done('audit', 'export', at('log'));
  await done('audit', 'data', at('data'));
  const verify = (settings: Record<string, string> = {}) => {
    const files = ['--key', vkey, '--log', at('log'), '--data', at('data'), '--level', '3'];
    return legonet(['verify', at('certificate.json'), ...files], settings);
  };
  expect(await verify()).toMatchObject({ code: 0 });
  if (engines.includes('native')) {
    const elsewhere = await verify({ LEGONET_ENGINE: 'native' });
    expect(elsewhere).toMatchObject({ code: 1 });
    expect(elsewhere.stdout).toMatch(/FAILED backend: .*engine native instead of wasm/);
    expect(elsewhere.stdout).toMatch(/- {5} model: /);
  }
  const file = at('data/backend.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), probe: 'x' }));
  expect((await verify()).stdout).toMatch(/FAILED backend: .*probe/);
}

test('on another backend nothing is built, and everything is predicted', async () => {
  // What was deleted before is entered as erased.
  expect(await run('start', '--once')).toMatchObject({ code: 0 });
  const [{ backend }] = await sql('SELECT backend FROM model');
  const other = JSON.stringify({ ...backend, probe: '0'.repeat(64) });
  await sql('UPDATE model SET backend = $1', [other]);
  try {
    const before = await json('versions');
    const intents = await sql('SELECT count(*) FROM tlog_batches');
    for (const args of [
      ['delete', '--sample', await sampleId(), '--wait'],
      ['start', '--once'],
      ['rebuild', '--from-scratch'],
    ]) {
      const ended = await run(...args);
      expect(ended).toMatchObject({ code: 1 });
      expect(ended.stderr).toMatch(/engine_mismatch/);
      expect(ended.stderr).toContain(`instead of ${'0'.repeat(64)}`);
    }
    expect(await json('versions')).toEqual(before);
    // The deletion's own entry, and no intent to train.
    expect(await sql('SELECT count(*) FROM tlog_batches')).toEqual([
      { count: intents[0].count + 1n },
    ]);
    const predicted = await json('predict', at('unknown.csv'));
    expect(predicted).toHaveLength(60);
    for (const { scores } of predicted) {
      expect(scores.cat + scores.dog).toBeCloseTo(1, 6);
    }
  } finally {
    await sql('UPDATE model SET backend = $1', [JSON.stringify(backend)]);
  }
  await done('start', '--once');
  expect(await json('status')).toMatchObject({ version: 3, dirtyAdapters: 0 });
  expect(await json('rebuild', '--from-scratch', '--check')).toMatchObject({ equal: true });
}, 600_000);
