import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIGITS, legonet, legonetJson, startLegonet } from '../support/cli.js';
import { contract, versionSchema } from '../support/contract.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { writeNpy } from '../support/npy.js';

let folder: string;
let database: TestDatabase;
let environment: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'legonet-test-life-'));
  await chmod(folder, 0o711);
  database = await createTestDatabase();
  environment = { DATABASE_URL: database.url, LOG_LEVEL: 'warn' };
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

const json = (...args: string[]) => legonetJson(args, environment);
const failing = (...args: string[]) => legonetJson(args, environment, 1);
const run = (...args: string[]) => legonet(args, environment);

const STREAM = join(DIGITS, 'stream.csv.gz');
const TEST = join(DIGITS, 'test.csv.gz');

const status = async () => contract.status.parse(await json('status'));
const versions = async () => contract.versions.parse(await json('versions'));

/** The test digits' first rows as a NumPy file with labels. */
function testDigits(count: number): { encodings: string; labels: string } {
  const [, ...lines] = gunzipSync(readFileSync(TEST)).toString().trim().split('\n');
  const rows = lines.slice(0, count).map((line) => line.split(','));
  const encodings = writeNpy(join(folder, 'more.npy'), {
    type: 'f4',
    shape: [count, 64],
    values: rows.flatMap((row) => row.slice(-64).map(Number)),
  });
  const labels = join(folder, 'labels.txt');
  writeFileSync(labels, rows.map((row) => `${row.at(-65)}\n`).join(''));
  return { encodings, labels };
}

const event = (type: string, id: string, data: object) =>
  JSON.stringify({ specversion: '1.0', type, id, source: 'urn:test', data });

describe('one model through its whole life', () => {
  test('before there is a model, commands say how to make one', async () => {
    for (const args of [
      ['ingest', STREAM],
      ['start', '--once'],
      ['rebuild', '--from-scratch'],
    ]) {
      const { code, stderr } = await run(...args);
      expect(code).toBe(1);
      expect(stderr).toContain('legonet init MODEL.json');
    }
    expect(await json('status')).toMatchObject({ model: null, version: null, retained: 0 });
    expect(await json('versions')).toEqual([]);
  });

  test('init creates the model once, and refuses another', async () => {
    const file = join(DIGITS, 'MODEL.json');
    expect(await json('init', file)).toMatchObject({ model: 'digits', created: true });
    expect(await json('init', file)).toMatchObject({ created: false });
    const other = join(folder, 'other.json');
    const keys = { kind: 'random', seed: 'other' };
    writeFileSync(other, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), keys }));
    const { code, stderr } = await run('init', other);
    expect(code).toBe(1);
    expect(stderr).toContain('another configuration is in force');
  });

  test('ingest takes CSV, NumPy and NDJSON, and a wrong name among them before any', async () => {
    expect((await run('ingest', STREAM, join(folder, 'none.csv'))).code).toBe(1);
    expect(await status()).toMatchObject({ lag: 0 });

    const { encodings, labels } = testDigits(20);
    expect((await run('ingest', encodings)).stderr).toContain('--labels');
    const [csv] = (await json('ingest', STREAM)) as { events: number }[];
    expect(csv).toMatchObject({ events: 1400, rejected: 0 });
    expect(await json('ingest', encodings, '--labels', labels)).toMatchObject([{ events: 20 }]);

    const events = join(folder, 'events.ndjson');
    const zeros = Array.from({ length: 64 }, () => 0);
    writeFileSync(
      events,
      [
        event('legonet.sample.ingested.v1', 'e1', {
          sampleId: 'ünï cøde',
          label: '0',
          encoding: zeros,
        }),
        event('legonet.sample.ingested.v1', 'e2', { sampleId: 'short', label: '0', encoding: [1] }),
        'this is no event',
      ].join('\n'),
    );
    expect(await json('ingest', events)).toMatchObject([{ events: 3 }]);
    expect(await status()).toMatchObject({ model: 'digits', version: null, lag: 1423 });
  });

  test('start --once publishes a version of all samples that can be used', async () => {
    const { code, stdout } = await run('start', '--once');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Version 1 '),
    });
    expect(await status()).toMatchObject({ version: 1, retained: 1421, lag: 0, dirtyAdapters: 0 });
    const [only, ...others] = await versions();
    expect(others).toEqual([]);
    expect(only).toMatchObject({ version: 1, parent: null, carried: 0, retiredAt: null });
    expect(only?.rebuilt).toHaveLength(100);
    expect(versionSchema.parse(await json('versions', '1'))).toEqual(only);
    expect((await run('versions', '2')).code).toBe(1);
  });

  test('what could not be applied is told, redriven and told again', async () => {
    const letters = contract.deadLetters.parse(await json('dead-letters'));
    expect(letters).toHaveLength(2);
    const [first] = letters;
    expect((await run('dead-letters', '--redrive', '999999')).code).toBe(1);
    await json('dead-letters', '--redrive', String(first?.id));
    await run('start', '--once');
    const again = contract.deadLetters.parse(await json('dead-letters'));
    expect(again.map(({ code }) => code).sort()).toEqual(letters.map(({ code }) => code).sort());
    expect(again.map(({ id }) => id)).not.toContain(first?.id);
    const skipped = await run('dead-letters', '--skip', String(again[0]?.id));
    expect(skipped).toMatchObject({ code: 1, stderr: expect.stringContaining('does not stop') });
  });

  test('queries answer on samples and adapters, known and unknown', async () => {
    const sample = contract.sample.parse(await json('sample', 'digit-0001'));
    expect(sample).toMatchObject({ state: 'retained', firstVersion: 1 });
    expect(sample.adapters).toHaveLength(10);
    expect(await json('sample', 'ünï cøde')).toMatchObject({ state: 'retained' });
    expect(contract.sample.parse(await json('sample', 'nobody'))).toMatchObject({
      state: 'unknown',
      adapters: [],
      firstVersion: null,
    });
    contract.adapter.parse(await json('adapter', '7'));
    expect((await run('adapter', '100')).code).toBe(1);
    expect((await run('deletions', 'nobody')).code).toBe(1);
  });

  test('predict gives a label, scores and adapters for each row', async () => {
    const predictions = contract.predict.parse(await json('predict', TEST));
    expect(predictions).toHaveLength(297);
    expect(predictions[0]?.adapters).toHaveLength(10);
    expect(Object.keys(predictions[0]?.scores ?? {})).toHaveLength(10);
    expect((await run('predict', TEST)).stdout).toMatch(/of 297 right/);
    expect((await run('predict', join(folder, 'none.csv'))).code).toBe(1);
  });

  test('a waited-for deletion ends with the version without the sample', async () => {
    const { adapters } = contract.sample.parse(await json('sample', 'digit-0001'));
    const request = ['--request-id', 'request-1', '--reason', 'asked'];
    const done = contract.delete.parse(
      await json('delete', '--sample', 'digit-0001', ...request, '--wait'),
    );
    expect(done).toMatchObject({ requestId: 'request-1', samples: ['digit-0001'] });
    expect(done.rebuilt).toEqual([...adapters].sort((a, b) => a - b));
    expect(await status()).toMatchObject({ modelDigest: done.modelDigest, deleted: 1 });
    expect(await json('sample', 'digit-0001')).toMatchObject({ state: 'deleted', lastVersion: 1 });
    expect((await versions()).at(-1)).toMatchObject({ deletions: ['request-1'], parent: 1 });
    expect(await json('deletions', 'request-1')).toMatchObject([{ reason: 'asked', removed: 1 }]);
  });

  test('the same request again, and one for a sample that never was, build nothing', async () => {
    const { version } = await status();
    for (const sample of ['digit-0001', 'never was']) {
      const id = `again ${sample}`;
      const args = ['--sample', sample, '--request-id', id, '--wait'];
      const done = contract.delete.parse(await json('delete', ...args));
      expect(done).toMatchObject({ version, rebuilt: [] });
    }
  });

  test('a request and a sample may both have ids as long as they may be', async () => {
    const [sample, id] = ['s'.repeat(256), 'r'.repeat(256)];
    const done = await json('delete', '--sample', sample, '--request-id', id, '--wait');
    expect(done).toMatchObject({ requestId: id, removed: 0 });
    expect(await json('deletions', id)).toMatchObject([{ target: sample }]);
  });

  test("a subject's samples all go, and so do those in a file of ids", async () => {
    const subject = contract.delete.parse(
      await json('delete', '--subject', 'writer-002', '--wait'),
    );
    expect(subject.samples.length).toBeGreaterThan(1);
    const file = join(folder, 'ids.txt');
    writeFileSync(file, '\ufeffdigit-0100\r\ndigit-0101\n\ndigit-0100\nünï cøde\n');
    const many = contract.delete.parse(await json('delete', '--file', file, '--wait'));
    expect([...many.samples].sort()).toEqual(['digit-0100', 'digit-0101', 'ünï cøde']);
  });

  test('a rebuild from scratch gives the version in service', async () => {
    const { modelDigest } = await status();
    const rebuilt = contract.rebuild.parse(await json('rebuild', '--from-scratch', '--check'));
    expect(rebuilt).toMatchObject({ modelDigest, published: modelDigest, equal: true });
  });

  test('a check against a version that lags behind fails', async () => {
    await run('delete', '--sample', 'digit-0200');
    const before = startLegonet(['start', '--roles', 'project'], environment);
    for (;;) if ((await status()).dirtyAdapters > 0) break;
    before.process.kill('SIGTERM');
    expect((await before.ended).code).toBe(0);
    const rebuilt = await failing('rebuild', '--from-scratch', '--check');
    expect(rebuilt).toMatchObject({ equal: false, behind: true });
    await run('start', '--once');
  });

  test('a replay of the log gives the same model', async () => {
    const before = await status();
    expect(await json('replay')).toMatchObject({ modelDigest: before.modelDigest, equal: true });
    const { retained, deleted } = await status();
    expect({ retained, deleted }).toEqual({ retained: before.retained, deleted: before.deleted });
  });

  test('the doctor fails on what waits for somebody, and says what to do', async () => {
    const report = await failing('doctor');
    const failed = (report as { findings: { ok: boolean }[] }).findings.filter(({ ok }) => !ok);
    expect(failed).toMatchObject([{ name: 'dead letters', remedy: expect.any(String) }]);
  });
});

test('with a running start, queries answer and deletions are done by it', async () => {
  const service = startLegonet(['start'], { ...environment, LOG_LEVEL: 'info' });
  await service.says('running');
  const reads = ['status', 'versions', 'deletions', 'dead-letters'].map((name) => json(name));
  await Promise.all([...reads, json('sample', 'digit-0300'), json('adapter', '3')]);
  const done = contract.delete.parse(await json('delete', '--sample', 'digit-0300', '--wait'));
  await service.says(done.modelDigest);
  const rebuilt = await json('rebuild', '--from-scratch', '--check');
  expect(rebuilt).toMatchObject({ equal: true, version: done.version });
  expect(await run('replay')).toMatchObject({ code: 1, stderr: expect.stringContaining('[busy]') });
  service.process.kill('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0, stdout: '' });
});
