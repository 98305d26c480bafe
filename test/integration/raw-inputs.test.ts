import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LegonetError } from '#src/errors.js';
import { sampleCorrected, sampleIngested, subjectErased } from '#src/events/cloud-event.js';
import type { Input } from '#src/events/event.js';
import { isOwnDeletion } from '#src/events/own-records.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { NewRecord } from '#src/log/event-log.js';
import type { Encoder } from '#src/model/encoder.js';
import { redrive } from '#src/service/redrive.js';
import type { Settings } from '#src/settings.js';
import { readDeadLetters } from '#src/store/dead-letters.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';
import { tablesWith } from '../support/tables-with.js';

const encoder = { kind: 'hashing-text', dimension: 3, scale: 1, analyzer: 'word', norm: 'none' };
const model = tinyModel({ encoder });
const kernel = await loadWasmKernel();

/** In every text, and nowhere else. */
const RAW = 'words of a person';
const ENGINE = { bits: 0, asked: 0, fails: null as LegonetError | null };

/** An engine whose last bits are its own, and which can be out of order. */
const engine: Encoder = {
  encode: async (inputs) => {
    ENGINE.asked += inputs.length;
    if (ENGINE.fails) throw ENGINE.fails;
    return inputs.map(encodeOne);
  },
  close: async () => {},
};

function encodeOne(input: Input) {
  if (input.form !== 'text' || input.text.includes('unfit')) {
    return new LegonetError('image_unreadable', 'input: this one cannot be encoded');
  }
  return Array.from({ length: 3 }, (_, i) => input.text.length * (i + 1) + ENGINE.bits);
}

const meta = (id: string, second = 0) => ({
  id,
  source: 'urn:test',
  time: `2026-01-01T00:00:0${second}Z`,
});

const content = (sampleId: string, text: string) => ({
  sampleId,
  label: 'a',
  input: { text: `${RAW}: ${text}` },
});

const ingest = (sampleId: string, text: string, second = 0, id = `i-${sampleId}`): NewRecord =>
  toNewRecord(sampleIngested(content(sampleId, text), meta(id, second)));

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => {
  Object.assign(ENGINE, { bits: 0, asked: 0, fails: null });
});

async function withPipeline(compacts: boolean, work: (pipeline: Pipeline) => Promise<void>) {
  const pipeline = new Pipeline(database.url, model, kernel, compacts, undefined, {
    encoder: engine,
  });
  try {
    await pipeline.begin();
    await work(pipeline);
  } finally {
    await pipeline.close();
  }
}

const versions = async ({ database: { pool } }: Pipeline) =>
  (await pool.query('SELECT model_digest, retired_at FROM versions ORDER BY version')).rows;

const samples = async ({ database: { pool } }: Pipeline) =>
  (await pool.query('SELECT sample_id, encoding, commitment FROM samples ORDER BY sample_id')).rows;

const letters = async ({ database: { pool } }: Pipeline) =>
  (await pool.query('SELECT key, code FROM dead_letters ORDER BY key')).rows;

/** As `legonet dead-letters --redrive` does. */
async function redriveAll({ database: stored, log }: Pipeline): Promise<void> {
  const settings = { topics: { sampleEvents: 'sample-events' } } as Settings;
  for (const { id } of await readDeadLetters(stored.pool)) {
    await redrive({ database: stored, log, settings }, id);
  }
}

const HISTORY = [
  ingest('s1', 'one'),
  ingest('s2', 'two two'),
  ingest('s2', 'in conflict', 5, 'other'),
  ingest('s3', 'three'),
  ingest('s3', 'earlier than three', 0, 'before'),
  toNewRecord(sampleCorrected(content('s1', 'corrected'), meta('c', 7))),
];

describe.each([false, true])('raw inputs, on a log that compacts: %s', (compacts) => {
  test('are in no table and not in the log when all is caught up', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append(HISTORY);
      expect(await tablesWith(pipeline.database, RAW)).toEqual(['log_records']);
      await pipeline.finish();
      await pipeline.compact();
      expect(await tablesWith(pipeline.database, RAW)).toEqual([]);
      expect(await samples(pipeline)).toHaveLength(3);
      expect(await letters(pipeline)).toEqual([
        { key: 's2', code: 'conflicting_content' },
        { key: 's3', code: 'conflicting_content' },
      ]);
    }));

  test('are not encoded again by a replay, which gives the same samples, seals and model', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append(HISTORY);
      await pipeline.finish();
      await pipeline.compact();
      const before = { samples: await samples(pipeline), letters: await letters(pipeline) };
      const [first] = await versions(pipeline);
      Object.assign(ENGINE, { bits: 9, asked: 0 });
      await pipeline.replay();
      await pipeline.finish();
      expect(ENGINE.asked).toBe(0);
      expect({ samples: await samples(pipeline), letters: await letters(pipeline) }).toEqual(
        before,
      );
      expect((await versions(pipeline)).at(-1)?.model_digest).toBe(first.model_digest);
    }));

  test('are the same content whatever bits an engine makes of them', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append([ingest('s1', 'one')]);
      await pipeline.finish();
      const before = await samples(pipeline);
      ENGINE.bits = 1;
      await pipeline.append([ingest('s1', 'one'), ingest('s1', 'one', 3, 'again')]);
      await pipeline.finish();
      expect(await letters(pipeline)).toEqual([]);
      expect(await samples(pipeline)).toEqual(before);
      await pipeline.compact();
      await pipeline.replay();
      await pipeline.finish();
      expect(await letters(pipeline)).toEqual([]);
      expect(await samples(pipeline)).toEqual(before);
    }));

  test('in conflict are the same conflicts when they are redriven', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append(HISTORY);
      await pipeline.finish();
      const before = await letters(pipeline);
      await redriveAll(pipeline);
      await pipeline.finish();
      expect(await letters(pipeline)).toEqual(before);
      expect(ENGINE.asked).toBe(HISTORY.length);
    }));

  test('that cannot be encoded are dead letters, and the others go on', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append([ingest('s1', 'unfit'), ingest('s2', 'fit')]);
      await pipeline.finish();
      expect(await letters(pipeline)).toEqual([{ key: 's1', code: 'image_unreadable' }]);
      expect(await samples(pipeline)).toMatchObject([{ sample_id: 's2' }]);
      // The raw record is kept for whoever looks into it, until its key is deleted.
      expect(await tablesWith(pipeline.database, RAW)).toContain('dead_letters');
      await pipeline.append([{ key: 's1', value: null }]);
      await pipeline.finish();
      await pipeline.compact();
      expect(await tablesWith(pipeline.database, RAW)).toEqual([]);
    }));

  test('are not lost while the encoder is out of order', () =>
    withPipeline(compacts, async (pipeline) => {
      await pipeline.append([ingest('s1', 'one')]);
      ENGINE.fails = new LegonetError('encoder_unavailable', 'the engine is gone', 'retryable');
      await expect(pipeline.project(10)).rejects.toMatchObject({ code: 'encoder_unavailable' });
      expect(await letters(pipeline)).toEqual([]);
      ENGINE.fails = null;
      await pipeline.finish();
      expect(await samples(pipeline)).toMatchObject([{ sample_id: 's1' }]);
    }));
});

describe('a raw input on a log that compacts', () => {
  const subject = 'the person';
  const named = { ...content('s1', 'one'), subjectId: subject };
  const erasures = async ({ database: { pool } }: Pipeline) =>
    (await pool.query('SELECT key, restated, declared_position AS declared FROM erasures')).rows;

  test('is to be erased once its sample is written again, and is erased when nothing is before that', () =>
    withPipeline(true, async (pipeline) => {
      await pipeline.append(HISTORY);
      await pipeline.finish();
      // One stands for all of its partition.
      const declared = (await pipeline.records()).at(-1)?.position;
      expect(await erasures(pipeline)).toEqual([{ key: 's3', restated: true, declared }]);
      await pipeline.compact();
      expect(await erasures(pipeline)).toEqual([]);
    }));

  test('and its encoding go when the sample is deleted before the raw input is gone', () =>
    withPipeline(true, async (pipeline) => {
      await pipeline.append([toNewRecord(sampleIngested(named, meta('i-s1')))]);
      await pipeline.finish();
      expect(await erasures(pipeline)).toMatchObject([{ key: 's1', restated: true }]);
      // Not under the sample's key: nothing but the log's own deletion can take its records.
      const erasure = subjectErased({ subjectId: subject }, meta('e', 9));
      await pipeline.append([toNewRecord(erasure)]);
      await pipeline.finish();
      await pipeline.compact();
      expect(await erasures(pipeline)).toEqual([]);
      const left = (await pipeline.records()).filter(({ key }) => key === 's1');
      expect(left.map((record) => isOwnDeletion(record))).toEqual([true]);
    }));

  test('and its encoding go when the sample is deleted just as the raw input is found to be gone', () =>
    withPipeline(true, async (pipeline) => {
      await pipeline.append([toNewRecord(sampleIngested(named, meta('i-s1')))]);
      await pipeline.finish();
      if ('compact' in pipeline.log) await pipeline.log.compact('sample-events', 1000n);
      const erasure = subjectErased({ subjectId: subject }, meta('e', 9));
      await pipeline.append([toNewRecord(erasure)]);
      await pipeline.erase(() => pipeline.project(1000));
      await pipeline.finish();
      const left = (await pipeline.records()).filter(({ key }) => key === 's1');
      expect(left.map((record) => isOwnDeletion(record))).toEqual([true]);
      const { rows } = await pipeline.database.pool.query(
        'SELECT sample_id AS id FROM tombstones WHERE erased_at IS NOT NULL',
      );
      expect(rows).toEqual([{ id: 's1' }]);
    }));

  test('is stood for by a later one, unless that comes much later', () =>
    withPipeline(true, async (pipeline) => {
      const { pool } = pipeline.database;
      const watched = async () =>
        (await pool.query('SELECT key, since FROM erasures ORDER BY since, key')).rows;
      await pipeline.append([ingest('s1', 'one')]);
      await pipeline.finish();
      const [first] = await watched();
      await pipeline.append([ingest('s2', 'two')]);
      await pipeline.finish();
      // Whoever waits longest is the one whose time counts.
      expect(await watched()).toEqual([{ key: 's2', since: first.since }]);
      await pool.query(`UPDATE erasures SET since = since - interval '1 hour'`);
      await pipeline.append([ingest('s3', 'three')]);
      await pipeline.finish();
      expect((await watched()).map(({ key }) => key)).toEqual(['s2', 's3']);
    }));

  test('goes where a record after it in the same batch says all of its sample', () =>
    withPipeline(true, async (pipeline) => {
      await pipeline.append([ingest('s1', 'one')]);
      await pipeline.finish();
      const state = (await pipeline.records()).at(-1);
      await pipeline.compact();
      await pipeline.append([ingest('s1', 'one', 0, 'i-s1'), ...(state ? [state] : [])]);
      await pipeline.project(1000);
      expect(await erasures(pipeline)).toMatchObject([{ key: 's1', restated: true }]);
    }));
});

test('a version is not retired by a replay of the embedded log: each input’s place has its encoding', () =>
  withPipeline(false, async (pipeline) => {
    await pipeline.append(HISTORY);
    await pipeline.finish();
    await pipeline.replay();
    await pipeline.finish();
    const all = await versions(pipeline);
    expect(all.map(({ retired_at }) => retired_at)).toEqual(all.map(() => null));
  }));

test('an encoding is no sample of a model with another encoder', () =>
  withPipeline(false, async (pipeline) => {
    await pipeline.append([ingest('s1', 'one')]);
    await pipeline.finish();
    const [record] = await pipeline.records();
    const other = tinyModel({ encoder: { ...encoder, analyzer: 'char' } });
    const elsewhere = new Pipeline(database.url, other, kernel, false, undefined, {
      encoder: engine,
    });
    try {
      await elsewhere.begin();
      await elsewhere.append(record ? [record] : []);
      await elsewhere.finish();
      expect(await letters(elsewhere)).toEqual([{ key: 's1', code: 'encoder_differs' }]);
    } finally {
      await elsewhere.close();
    }
  }));
