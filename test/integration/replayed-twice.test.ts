import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleCorrected, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { CompactingLog } from '../support/compacting-log.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';
import { expectReplayed } from '../support/replay-database.js';

/* A replay that begins before the one before it is over: what that one knew must not be lost. */

const kernel = await loadWasmKernel();
let made: TestDatabase;
let pipeline: Pipeline;

beforeEach(async () => {
  made = await createTestDatabase();
  pipeline = new Pipeline(made.url, tinyModel(), kernel, true);
  await pipeline.begin();
});
afterEach(async () => {
  await pipeline.close();
  await made.drop();
});

const meta = (id: string) => ({ id, source: 'urn:test', time: '2024-01-01T12:00:00Z' });
const data = { sampleId: 'one', label: 'a', encoding: [1, 2, 3, 4] };
const ingest = toNewRecord(sampleIngested(data, meta('ingest')));
const other = toNewRecord(sampleIngested({ ...data, sampleId: 'other' }, meta('other')));

test('a version is retired though it holds what no replay has come to the end of', async () => {
  await pipeline.append([ingest, other]);
  await pipeline.project(2);
  await pipeline.build();
  await pipeline.replay();
  await pipeline.project(1);
  await pipeline.replay();
  await pipeline.append([toNewRecord(sampleDeleted({ sampleId: 'one' }, meta('request')))]);
  // What Kafka does in its own time, also before a consumer has come so far.
  await (pipeline.log as CompactingLog).compact('sample-events', 3n);
  await pipeline.finish();
  const { rows } = await pipeline.database.pool.query(
    'SELECT retired_by FROM versions ORDER BY version',
  );
  expect(rows.map(({ retired_by }) => retired_by)).toEqual([2, null]);
});

test('every content is accounted for, also where each replay meets another one of a sample', async () => {
  const corrected = { ...data, encoding: [5, 6, 7, 8] };
  await pipeline.append([ingest, toNewRecord(sampleCorrected(corrected, meta('correction')))]);
  await pipeline.project(2);
  await pipeline.build();
  await pipeline.replay();
  await pipeline.project(1);
  await pipeline.replay();
  await pipeline.finish();
  expect(await expectReplayed(pipeline.database, await pipeline.vkey())).not.toBeNull();
});
