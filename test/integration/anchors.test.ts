import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseCertificate } from '#src/audit/certificate/schema.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { buildVersion } from '#src/build/builder.js';
import { inlineCompute } from '#src/build/compute.js';
import { LocalModel } from '#src/client/local-model.js';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { activate, keysOf } from '#src/model/activation.js';
import { withKeysFrom } from '#src/model/anchors.js';
import { buildModel } from '#src/model/build.js';
import { predict } from '#src/model/predict.js';
import type { Rows } from '#src/model/statistics.js';
import { exportData } from '#src/service/audit-exports.js';
import { verifyModel } from '#src/service/verify-model.js';
import { readSample } from '#src/store/audit.js';
import { certificateOf } from '#src/store/certificates.js';
import { loadServedModel } from '#src/store/served-model.js';
import { readStatus } from '#src/store/status.js';
import { readWeightsOfVersion } from '#src/store/weights.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { syntheticRows, tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';
import { expectCertified, expectReplayed } from '../support/replay-database.js';

/* Keys that are samples, in the service: what a deletion of one means, step by step. */

const model = tinyModel({
  keys: { kind: 'anchors', seed: 7 },
  adapters: 40,
  activated: 3,
  encoder: { kind: 'identity', dimension: 12, scale: 1 },
});
const { dimension, classes } = model.shape;
const kernel = await loadWasmKernel();
const COUNT = 90;
const all: Required<Rows> = {
  ...syntheticRows('anchors', COUNT, dimension, classes),
  ids: Array.from({ length: COUNT }, (_, i) => `s${i}`),
};
const never = new AbortController().signal;

let created: TestDatabase;
let pipeline: Pipeline;

beforeAll(async () => {
  created = await createTestDatabase();
});
afterAll(() => created.drop());
beforeEach(async () => {
  pipeline = new Pipeline(created.url, model, kernel);
  await pipeline.begin();
});
afterEach(() => pipeline.close());

const encodingOf = (i: number) => all.encodings.slice(i * dimension, (i + 1) * dimension);

async function ingest(from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, n) => {
    const i = from + n;
    const label = model.configuration.classes[all.labels[i] ?? 0] ?? '';
    const data = { sampleId: `s${i}`, label, encoding: int8Data(encodingOf(i)) };
    return toNewRecord(sampleIngested(data, { id: `i${i}`, source: 'urn:test' }));
  });
  await pipeline.append(records);
  await projectAll();
}

async function remove(...samples: readonly number[]): Promise<void> {
  const request = (i: number) => ({ sampleId: `s${i}`, requestId: `r${i}` });
  const meta = (i: number) => ({ id: `d${i}`, source: 'urn:test' });
  await pipeline.append(samples.map((i) => toNewRecord(sampleDeleted(request(i), meta(i)))));
  await projectAll();
}

async function projectAll(): Promise<void> {
  while ((await pipeline.project(1000)) > 0);
}

async function query<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
  return (await pipeline.database.pool.query(sql, values)).rows as Row[];
}

/** The anchor of an adapter that has another to follow it, and where it is. */
async function anAnchor(): Promise<{ row: number; adapter: number }> {
  const [found] = await query<{ adapter: number; id: string }>(
    `SELECT adapter, sample_id AS id FROM anchors
     WHERE (SELECT count(*) FROM samples WHERE anchor_adapter = adapter) > 1 ORDER BY adapter LIMIT 1`,
  );
  return { row: Number(found?.id.slice(1)), adapter: found?.adapter ?? -1 };
}

async function noAnchor(): Promise<number> {
  const [found] = await query<{ id: string }>(
    `SELECT sample_id AS id FROM samples WHERE sample_id NOT IN (SELECT sample_id FROM anchors) LIMIT 1`,
  );
  return Number(found?.id.slice(1));
}

const rowsWithout = (...gone: readonly number[]): Required<Rows> => {
  const kept = all.ids.map((_, i) => i).filter((i) => !gone.includes(i));
  return {
    encodings: Int8Array.from(kept.flatMap((i) => [...encodingOf(i)])),
    labels: kept.map((i) => all.labels[i] ?? 0),
    ids: kept.map((i) => all.ids[i] ?? ''),
  };
};

/** The adapters of each sample, nearest first, by the definition. */
function adaptersById(rows: Required<Rows>): Map<string, readonly number[]> {
  const keys = keysOf(withKeysFrom(model, rows));
  const active = activate(kernel, keys, rows.encodings, rows.ids.length, 3);
  return new Map(rows.ids.map((id, i) => [id, [...active.subarray(3 * i, 3 * i + 3)]]));
}

/** A build that dies once samples are placed. */
async function dieAfterPlacing(): Promise<void> {
  const compute = inlineCompute(created.url, kernel, model);
  const reached = (point: string) => {
    if (point === 'place.after-commit') throw new Error('dead');
  };
  const { database } = pipeline;
  const build = buildVersion({ database, model, compute, now: () => new Date(0), reached }, never);
  await expect(build).rejects.toThrow('dead');
  await compute.close();
}

async function certificate(i: number) {
  const text = await certificateOf(pipeline.database, { requestId: `r${i}` });
  const vkey = await pipeline.vkey();
  expect(verifyCertificate(text, { vkey }).checks.filter((c) => c.outcome === 'failed')).toEqual(
    [],
  );
  expect(await expectCertified(pipeline.database, vkey)).not.toEqual([]);
  expect((await expectReplayed(pipeline.database, vkey))?.ok).toBe(true);
  return parseCertificate(text);
}

async function adaptersOf(i: number): Promise<readonly number[]> {
  return (await readSample(pipeline.database.pool, `s${i}`)).adapters;
}

/** A retained sample that an anchor's going has moved, and where it was before. */
async function aMoved(): Promise<{ row: number; before: number[] }> {
  const [moved] = await query<{ id: string; adapters: number[] }>(
    `SELECT sample_id AS id, m.adapters FROM moves m JOIN samples s USING (sample_id)
     WHERE NOT (m.adapters @> s.adapters) ORDER BY 1 LIMIT 1`,
  );
  return { row: Number(moved?.id.slice(1)), before: moved?.adapters ?? [] };
}

test('samples are placed by the build, and until then something waits to be built', async () => {
  await ingest(0, COUNT);
  expect(await adaptersOf(0)).toEqual([]);
  expect((await readStatus(pipeline.database.pool)).dirtyAdapters).toBe(0n);
  const outcome = await pipeline.build();
  expect(outcome?.modelDigest).toBe(buildModel(kernel, model, all).modelDigest);
  expect(await adaptersOf(0)).toHaveLength(3);
  expect(await pipeline.build()).toBeNull();
});

test('an anchor that goes: exactly the adapters are built again that the going concerns', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  const { row, adapter } = await anAnchor();
  await remove(row);
  const trained: number[] = [];
  const compute = inlineCompute(created.url, kernel, model);
  const build: typeof compute.build = (task, snapshot) => {
    trained.push(task.adapter);
    return compute.build(task, snapshot);
  };
  const { database } = pipeline;
  const now = () => new Date(0);
  const outcome = await buildVersion(
    { database, model, compute: { ...compute, build }, now },
    never,
  );
  await compute.close();

  const left = rowsWithout(row);
  const [was, is] = [adaptersById(all), adaptersById(left)];
  const moved = left.ids.filter((id) => `${was.get(id)}` !== `${is.get(id)}`);
  expect(moved.length).toBeGreaterThan(0);
  const touched = [`s${row}`, ...moved].flatMap((id) => [
    ...(was.get(id) ?? []),
    ...(is.get(id) ?? []),
  ]);
  const rebuilt = [...new Set([adapter, ...touched])].sort((a, b) => a - b);
  expect(outcome?.rebuilt).toEqual(rebuilt);
  expect(rebuilt.length).toBeLessThan(40);

  const [before, after] = [all, left].map((rows) => buildModel(kernel, model, rows));
  expect(outcome?.modelDigest).toBe(after?.modelDigest);
  const differ = after?.adapters.flatMap(({ digest }, j) =>
    digest === before?.adapters[j]?.digest ? [] : [j],
  );
  // The others are committed to anew, for their members have other adapters; they are what they were.
  expect(trained.sort((a, b) => a - b)).toEqual(differ);
  expect(trained.length).toBeLessThan(rebuilt.length);
});

test('a sample that is no anchor costs its own adapters and nothing else', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  const row = await noAnchor();
  const own = await adaptersOf(row);
  const entries = async () =>
    Number((await query<{ sum: bigint }>('SELECT sum(count) FROM tlog_batches'))[0]?.sum);
  await remove(row);
  const logged = await entries();
  const outcome = await pipeline.build();
  expect(outcome?.rebuilt).toEqual([...own].sort((a, b) => a - b));
  expect(outcome?.modelDigest).toBe(buildModel(kernel, model, rowsWithout(row)).modelDigest);
  // The intent and the version alone.
  expect((await entries()) - logged).toBe(2);
});

test('nothing of an anchor that is deleted is left in any table once its versions are retired', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await pipeline.publish();
  const { row } = await anAnchor();
  await remove(row);
  expect(await tablesWith(encodingOf(row))).toEqual(['weights']);
  await pipeline.build();
  await pipeline.publish();
  expect(await tablesWith(encodingOf(row))).toEqual([]);
});

/** Tables that hold these bytes, alone or within others. */
async function tablesWith(bytes: Int8Array): Promise<string[]> {
  const columns = await query<{ table: string; column: string }>(
    `SELECT table_name AS table, column_name AS column FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'bytea'`,
  );
  const found: string[] = [];
  for (const { table, column } of columns) {
    const rows = await query(`SELECT FROM ${table} WHERE position($1::bytea IN ${column}) > 0`, [
      Buffer.from(bytes),
    ]);
    if (rows.length > 0) found.push(table);
  }
  const json = await query(
    `SELECT FROM log_records WHERE position($1::bytea IN value) > 0 AND topic = 'sample-events'`,
    [Buffer.from(bytes).toString('base64')],
  );
  return json.length > 0 ? [...found, 'log_records'] : found;
}

test('who moved, and is deleted before a version has it there, was held where it had been', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await pipeline.publish();
  const anchor = await anAnchor();
  await remove(anchor.row);
  await dieAfterPlacing();
  const { row, before } = await aMoved();
  expect(await adaptersOf(row)).not.toEqual(before);
  await remove(row);
  const outcome = await pipeline.build();
  expect(outcome?.modelDigest).toBe(
    buildModel(kernel, model, rowsWithout(anchor.row, row)).modelDigest,
  );
  await pipeline.publish();
  const { sample, before: held } = await certificate(row);
  expect(sample.adapters).toEqual(before);
  expect(held?.version).toBe(1);
});

test('who moved, and is deleted while the version is built that has it there, was held there', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await pipeline.publish();
  const anchor = await anAnchor();
  await remove(anchor.row);
  let row = -1;
  let adapters: readonly number[] = [];
  await pipeline.build(async () => {
    ({ row } = await aMoved());
    adapters = await adaptersOf(row);
    await remove(row);
  });
  await pipeline.build();
  await pipeline.publish();
  const { sample, before } = await certificate(row);
  expect(sample.adapters).toEqual(adapters);
  expect(before?.version).toBe(2);
});

test('who moves twice before a version has it was held where it had been at first', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await pipeline.publish();
  const first = await anAnchor();
  await remove(first.row);
  await dieAfterPlacing();
  const { row, before } = await aMoved();
  const own = await adaptersOf(row);
  const [second] = await query<{ id: string }>(
    'SELECT sample_id AS id FROM anchors WHERE adapter = ANY ($1) AND sample_id <> $2 LIMIT 1',
    [own, `s${row}`],
  );
  await remove(Number(second?.id.slice(1)));
  await dieAfterPlacing();
  await remove(row);
  await pipeline.build();
  await pipeline.publish();
  expect((await certificate(row)).sample.adapters).toEqual(before);
});

test('who is deleted before it was placed was in no version, and one shows that', async () => {
  await ingest(0, COUNT - 1);
  await pipeline.build();
  await pipeline.publish();
  await ingest(COUNT - 1, COUNT);
  await remove(COUNT - 1);
  const outcome = await pipeline.build();
  expect(outcome?.deletions).toEqual([`r${COUNT - 1}`]);
  await pipeline.publish();
  const { before } = await certificate(COUNT - 1);
  expect(before).toBeNull();
});

test('a build is overtaken if samples have moved since its cut, even if nobody has built since', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await remove(await noAnchor());
  const { row } = await anAnchor();
  const build = pipeline.build(async () => {
    await remove(row);
    await dieAfterPlacing();
  });
  await expect(build).rejects.toMatchObject({ code: 'build_overtaken' });
  await pipeline.build();
  await pipeline.publish();
  await certificate(row);
});

test('a replay places all samples as they were, and the audit log need not hear of it', async () => {
  await ingest(0, COUNT);
  const first = await pipeline.build();
  await pipeline.publish();
  const ingests = () =>
    query('SELECT sample_id, leaf_batch, leaf_entry, adapters FROM samples ORDER BY 1');
  const before = await ingests();
  await pipeline.replay();
  await projectAll();
  const second = await pipeline.build();
  await pipeline.publish();
  expect(second?.modelDigest).toBe(first?.modelDigest);
  expect(await ingests()).toEqual(before);
  expect((await expectReplayed(pipeline.database, await pipeline.vkey()))?.ok).toBe(true);
});

test('trained again from the samples, it is the same model: level 3', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  const { row } = await anAnchor();
  await remove(row);
  await pipeline.build();
  await pipeline.publish();
  const replayed = await expectReplayed(pipeline.database, await pipeline.vkey());
  const folder = mkdtempSync(join(tmpdir(), 'legonet-test-anchors-'));
  try {
    await exportData(pipeline.database, folder, never);
    const checks = await verifyModel(folder, replayed?.found ?? expect.fail('no replay'), never);
    expect(checks.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'configuration ok',
      'openings ok',
      'activation ok',
      'backend ok',
      'model ok',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('predictions go by the keys of the version, in the server and in a copy of the model', async () => {
  await ingest(0, COUNT);
  await pipeline.build();
  await pipeline.publish();
  const { row } = await anAnchor();
  await remove(row);
  await pipeline.build();
  await pipeline.publish();
  const left = rowsWithout(row);
  const asked = syntheticRows('asked', 20, dimension, classes).encodings;
  const built = buildModel(kernel, model, left).adapters;
  const weights = built.map(({ members, bytes }) =>
    members === 0 ? null : new Float32Array(bytes.slice(0, 4 * (dimension + 1) * classes).buffer),
  );
  const right = predict(kernel, withKeysFrom(model, left), weights, asked, 20);

  const served = await loadServedModel(pipeline.database, model);
  if (!served) throw new Error('nothing is served');
  expect(predict(kernel, served.model, served.weights, asked, 20)).toEqual(right);

  const local = new LocalModel(model, kernel);
  const { pool } = pipeline.database;
  const digests = await readWeightsOfVersion(pool, served.version);
  const stored = await query<{ digest: string; bytes: Buffer }>(
    'SELECT digest, bytes FROM weights',
  );
  local.adopt(
    {
      version: served.version,
      modelDigest: served.modelDigest,
      weights: digests.map(({ digest }) => digest),
    },
    new Map(stored.map(({ digest, bytes }) => [digest, local.read(digest, bytes)])),
  );
  const rows = Array.from({ length: 20 }, (_, i) =>
    asked.slice(i * dimension, (i + 1) * dimension),
  );
  expect(local.predict(rows).predictions).toEqual(right);
});
