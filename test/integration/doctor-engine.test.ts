import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { isNativeInstalled } from '#src/engine/choose.js';
import { describeApart } from '#src/engine/describe-apart.js';
import { openImageEncoder } from '#src/engine/image-encoder.js';
import type { Finding } from '#src/log/finding.js';
import { requireSame } from '#src/model/backend.js';
import type { ModelFiles } from '#src/model/model.js';
import { diagnose } from '#src/service/examine/diagnose.js';
import { readSettings } from '#src/settings.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { keepBackend, saveModel } from '#src/store/model.js';
import { legonetJson } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { softmax } from '../support/engines.js';
import { tinyModel } from '../support/models.js';
import { layersModel } from '../support/small-models.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

/*
 * What the doctor says of TensorFlow, on WebAssembly: of the encoder, of its files, of what trains.
 */

const LOOKED_AT = ['encoder files', 'encoder engine', 'training engine', 'training backend'];

let folder: string;
let created: TestDatabase;
let database: Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'legonet-test-doctor-'));
  created = await createTestDatabase();
  database = openDatabase(created.url);
});
afterEach(async () => {
  await database.close();
  await created.drop();
  rmSync(folder, { recursive: true });
});

const begin = (changes: Record<string, unknown>, files: ModelFiles = {}) =>
  saveModel(database, tinyModel(changes), files);

async function look(environment: Record<string, string> = {}): Promise<Finding[]> {
  const given = { DATABASE_URL: created.url, LEGONET_DATA_DIR: folder, LEGONET_ENGINE: 'wasm' };
  const findings = await diagnose(readSettings({ ...given, ...environment }), {
    environment: {},
    now: Date.now,
  });
  const others = findings.filter(({ name }) => !LOOKED_AT.includes(name));
  expect(others.filter(({ ok }) => !ok)).toEqual([]);
  return findings.filter(({ name }) => LOOKED_AT.includes(name));
}

const outcomes = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ name, ok }) => [name, ok]));

/** To the end of the test, every Node.js that is started ends at once. Returns how many have been. */
function endEveryProcess(): () => number {
  const marks = join(folder, 'started');
  const code = `import{appendFileSync}from'node:fs';appendFileSync('${marks}','x');process.kill(process.pid,'SIGKILL')`;
  const { NODE_OPTIONS } = process.env;
  process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(code)}`;
  onTestFinished(() => {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
  });
  return () => (existsSync(marks) ? readFileSync(marks).length : 0);
}

test('the backend that the model is pinned to is told from any other, with the advice of the error', async () => {
  await begin({ adapter: softmax() });
  expect(outcomes(await look())).toEqual({ 'training engine': true, 'training backend': true });
  const own = await describeApart('wasm');
  await keepBackend(database.pool, own);
  expect(outcomes(await look())).toEqual({ 'training engine': true, 'training backend': true });

  const other = { ...own, probe: '0'.repeat(64) };
  await database.pool.query('UPDATE model SET backend = $1', [JSON.stringify(other)]);
  const [engine, backend] = await look();
  expect(engine).toMatchObject({ ok: true, detail: expect.stringContaining(own.probe) });
  expect(backend).toMatchObject({ name: 'training backend', ok: false });
  expect(backend?.detail).toContain(`probe ${own.probe} instead of ${other.probe}`);
  const advice = /use LEGONET_ENGINE=wasm.*another database/.exec(backend?.remedy ?? '')?.[0];
  expect(advice).toBeDefined();
  expect(() => requireSame(other, own)).toThrow(advice);
});

test('the encoder’s files are held against the digest that the model names', async () => {
  await begin({ encoder: smallEncoder }, { encoder: smallFiles });
  const fine = { 'encoder files': true, 'encoder engine': true };
  expect(outcomes(await look())).toEqual(fine);

  await database.pool.query('UPDATE encoder_files SET bytes = bytes || $1 WHERE part = 1', [
    Buffer.from([0]),
  ]);
  const [files, engine] = await look();
  expect(files).toMatchObject({ ok: false, detail: expect.stringContaining(smallEncoder.sha256) });
  expect(engine).toMatchObject({ ok: true });
  await database.pool.query('DELETE FROM encoder_files');
  expect((await look())[0]).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/none/),
    remedy: expect.stringMatching(/backup/),
  });
});

test('an engine that ends its process is a finding for each who needs it, is opened once, and the doctor goes on', async () => {
  await begin({ encoder: smallEncoder, adapter: softmax() }, { encoder: smallFiles });
  const started = endEveryProcess();
  const findings = await look();
  expect(started()).toBe(1);
  expect(outcomes(findings)).toEqual({
    'encoder files': true,
    'encoder engine': false,
    'training engine': false,
  });
  for (const finding of findings.slice(1)) {
    expect(finding).toMatchObject({
      detail: expect.stringMatching(/wasm.*SIGKILL/),
      remedy: expect.stringMatching(/npm ci/),
    });
  }
});

test('a model that needs no TensorFlow is told nothing of it, and no process is begun', async () => {
  await begin({});
  const started = endEveryProcess();
  expect(await look({ LEGONET_ENGINE: 'native' })).toEqual([]);
  expect(started()).toBe(0);
});

test.skipIf(isNativeInstalled())(
  'the native engine that is asked for and not installed is a finding, and what it may be replaced by',
  async () => {
    await begin({ encoder: smallEncoder, adapter: softmax() }, { encoder: smallFiles });
    await keepBackend(database.pool, { ...(await describeApart('wasm')), engine: 'native' });
    const [, encoder, training] = await look({ LEGONET_ENGINE: 'native' });
    expect(encoder).toMatchObject({
      ok: false,
      remedy: expect.stringMatching(/install:tensorflow.*LEGONET_ENGINE=wasm/),
    });
    expect(training).toMatchObject({ name: 'training engine', ok: false });
    expect(training?.remedy).not.toContain('LEGONET_ENGINE');
  },
);

test('the engine is opened outside of the doctor’s process, and is the one that threads have', async () => {
  await begin({ encoder: smallEncoder, adapter: softmax() }, { encoder: smallFiles });
  const environment = {
    DATABASE_URL: created.url,
    LEGONET_DATA_DIR: folder,
    LEGONET_ENGINE: 'wasm',
  };
  const options = { height: 2, width: 2, divisor: 1, offset: 0 };
  const thread = await openImageEncoder('wasm', layersModel, options);
  await thread.close();
  await keepBackend(database.pool, thread.description);
  const report = await legonetJson(['doctor'], environment);
  const { findings } = report as { findings: Finding[] };
  expect(report).toMatchObject({ ok: true });
  expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(LOOKED_AT));
  expect(outcomes(await look())).toEqual(Object.fromEntries(LOOKED_AT.map((name) => [name, true])));
  const { cache } = createRequire(import.meta.url);
  expect(Object.keys(cache).filter((path) => path.includes('@tensorflow'))).toEqual([]);
});
