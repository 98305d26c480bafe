import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
} from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { CompactingLog } from '../support/compacting-log.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';
import { expectCertified, expectReplayed } from '../support/replay-database.js';

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
const ingest = (sampleId: string, about: { subjectId?: string } = {}, id = sampleId) =>
  toNewRecord(sampleIngested({ sampleId, label: 'a', encoding: [1, 2, 3, 4], ...about }, meta(id)));

const erase = toNewRecord(subjectErased({ subjectId: 'p' }, meta('request')));

/** What Kafka does in its own time, also before a consumer has come so far. */
const compact = () => (pipeline.log as CompactingLog).compact('sample-events', 10n);

test('a deletion is certified though a replay meets nothing but it: the log has compacted the rest', async () => {
  await pipeline.append([ingest('gone'), ingest('kept')]);
  await pipeline.project(2);
  await pipeline.build();
  await pipeline.append([
    toNewRecord(sampleDeleted({ sampleId: 'gone' }, meta('request'))),
    ingest('more'),
  ]);
  await compact();
  await pipeline.replay();
  await pipeline.finish();
  expect(await expectCertified(pipeline.database, await pipeline.vkey())).toHaveLength(1);
});

test('after a replay, too, what a subject’s erasure takes away late is certified', async () => {
  await pipeline.append([ingest('late'), erase]);
  await pipeline.finish();
  // The log keeps its own note of the erasure.
  await pipeline.compact();
  await pipeline.replay();
  await pipeline.finish();
  await pipeline.append([ingest('late', { subjectId: 'p' }, 'again')]);
  await pipeline.finish();
  expect(await expectCertified(pipeline.database, await pipeline.vkey())).toHaveLength(1);
});

test('so it is where a replay meets that in one batch with the log’s own note of the erasure', async () => {
  await pipeline.append([ingest('late'), erase]);
  await pipeline.finish();
  await pipeline.append([ingest('late', { subjectId: 'p' }, 'again')]);
  await pipeline.compact();
  await pipeline.replay();
  await pipeline.finish();
  expect(await expectCertified(pipeline.database, await pipeline.vkey())).toEqual(['late']);
});

test('and where a partition that was empty takes away what the replay of another has not met yet', async () => {
  await pipeline.close();
  pipeline = new Pipeline(made.url, tinyModel(), kernel, true, undefined, { partitions: 2 });
  await pipeline.begin();
  await pipeline.append([{ ...ingest('late'), partition: 1 }]);
  await pipeline.project(1, true, 1);
  await pipeline.build();
  await pipeline.replay();
  const again = [erase, ingest('late', { subjectId: 'p' }, 'again')];
  await pipeline.append(again.map((record) => ({ ...record, partition: 0 })));
  await pipeline.finish();
  expect(await expectCertified(pipeline.database, await pipeline.vkey())).toEqual(['late']);
});

test('a version is retired though it holds what no replay has come to the end of', async () => {
  await pipeline.append([ingest('gone'), ingest('kept')]);
  await pipeline.project(2);
  await pipeline.build();
  await pipeline.replay();
  await pipeline.project(1);
  await pipeline.replay();
  await pipeline.append([toNewRecord(sampleDeleted({ sampleId: 'gone' }, meta('request')))]);
  await compact();
  await pipeline.finish();
  const { rows } = await pipeline.database.pool.query(
    'SELECT retired_by FROM versions ORDER BY version',
  );
  expect(rows.map(({ retired_by }) => retired_by)).toEqual([2, null]);
});

test('every content is accounted for, also where each replay meets another one of a sample', async () => {
  const corrected = { sampleId: 'one', label: 'a', encoding: [5, 6, 7, 8] };
  await pipeline.append([
    ingest('one'),
    toNewRecord(sampleCorrected(corrected, meta('correction'))),
  ]);
  await pipeline.project(2);
  await pipeline.build();
  await pipeline.replay();
  await pipeline.project(1);
  await pipeline.replay();
  await pipeline.finish();
  expect(await expectReplayed(pipeline.database, await pipeline.vkey())).not.toBeNull();
});
