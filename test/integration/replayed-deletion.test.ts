import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { dropProjections } from '#src/store/replay.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';
import { expectCertified } from '../support/replay-database.js';
import { tablesWith } from '../support/tables-with.js';

const kernel = await loadWasmKernel();
let made: TestDatabase;
let pipeline: Pipeline;

beforeEach(async () => {
  made = await createTestDatabase();
  pipeline = new Pipeline(made.url, tinyModel(), kernel);
  await pipeline.begin();
});
afterEach(async () => {
  await pipeline.close();
  await made.drop();
});

const meta = (id: string) => ({ id, source: 'urn:test', time: '2024-01-01T12:00:00Z' });
const ingest = (sampleId: string) =>
  toNewRecord(sampleIngested({ sampleId, label: 'a', encoding: [1, 2, 3, 4] }, meta(sampleId)));

test('a deletion is certified though a replay meets what is left of it after the first version without it', async () => {
  await pipeline.append([ingest('gone')]);
  await pipeline.project(1);
  await pipeline.build();
  await pipeline.append([
    toNewRecord(sampleDeleted({ sampleId: 'gone' }, meta('request'))),
    ingest('kept'),
  ]);
  await pipeline.project(1);
  // The log was told of the deletion, at its end, when the replay had looked where that is.
  await dropProjections(pipeline.database, new Map([[0, 3n]]), false);
  await pipeline.project(1);
  await pipeline.build();
  await pipeline.finish();
  expect(await expectCertified(pipeline.database, await pipeline.vkey())).toHaveLength(1);
});

test('no version of a replay has a deleted sample that was sent once more, before the log was told to forget it', async () => {
  await pipeline.append([ingest('kept'), ingest('gone')]);
  await pipeline.project(2);
  await pipeline.build();
  const remove = toNewRecord(sampleDeleted({ sampleId: 'gone' }, meta('request')));
  await pipeline.append([remove, ingest('gone')]);
  // The deletion alone: the log forgets what was read of the sample, and says so behind what was not.
  await pipeline.project(1);
  await pipeline.build();
  await pipeline.replay();
  for (let step = 0; step < 3; step++) {
    await pipeline.project(1);
    await pipeline.build();
  }
  await pipeline.finish();
  const { rows } = await pipeline.database.pool.query(
    'SELECT version, retained FROM versions ORDER BY version',
  );
  expect(rows.map(({ retained }) => retained)).toEqual([2n, 1n, 1n]);
});

test('what nobody can read of a deleted sample is erased, though a replay meets it before it knows of the deletion', async () => {
  await pipeline.append([
    toNewRecord(sampleDeleted({ sampleId: 'gone' }, meta('request'))),
    { key: 'gone', value: Buffer.from('of a person, and unreadable') },
  ]);
  await pipeline.project(1);
  await pipeline.replay();
  await pipeline.finish();
  expect(await tablesWith(pipeline.database, 'of a person')).toEqual([]);
});
