import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleCorrected, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { deletionRecord, isOwnDeletion, rollRecord } from '#src/events/own-records.js';
import type { LogRecord } from '#src/events/record.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { EventLog, NewRecord } from '#src/log/event-log.js';
import { apply } from '#src/projection/apply.js';
import { prepare } from '#src/projection/prepare.js';
import { eraseFromLog } from '#src/publish/erase.js';
import { recordErasures } from '#src/publish/record-erasures.js';
import { connect } from '#src/store/database.js';
import { dropProjections } from '#src/store/replay.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';

/* What one transaction decides while another, which it has not seen, changes what it decides by. */

const model = tinyModel({ adapters: 2, activated: 2 });
const kernel = await loadWasmKernel();

let made: TestDatabase;
let pipeline: Pipeline;
let other: pg.Client;
let holder: pg.Client;

beforeEach(async () => {
  made = await createTestDatabase();
  pipeline = new Pipeline(made.url, model, kernel, true);
  other = await connect(made.url);
  holder = await connect(made.url);
  await pipeline.begin();
});
afterEach(async () => {
  await other.end();
  await holder.end();
  await pipeline.close();
  await made.drop();
});

const query = (sql: string) => pipeline.database.pool.query(sql);
const meta = (id: string) => ({ id, source: 'urn:test', time: '2024-01-01T12:00:00Z' });
const ingest = (sampleId: string) =>
  toNewRecord(
    sampleIngested({ sampleId, label: 'a', encoding: [1, 2, 3, 4] }, meta(`i-${sampleId}`)),
  );
const remove = (sampleId: string) =>
  toNewRecord(sampleDeleted({ sampleId }, meta(`d-${sampleId}`)));

const WAITING = `SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;
const isWaiting = async () => (await other.query(WAITING)).rowCount !== 0;

type Started = { readonly end: Promise<unknown> };

/** Starts what others may hold up; resolves when they do, or when it is done. */
async function start(work: () => Promise<unknown>): Promise<Started> {
  let ended = false;
  const end = work().finally(() => {
    ended = true;
  });
  end.catch(() => {});
  await expect.poll(async () => ended || isWaiting(), { timeout: 20_000 }).toBe(true);
  return { end };
}

/** Projects records of a partition, as the process that has it does, and nothing else; `within` before its commit. */
async function project(
  [partition, from]: readonly [number, bigint],
  given: readonly NewRecord[],
  within = async () => {},
) {
  const records = given.map(({ key, value, headers = {} }, i): LogRecord => {
    return { partition, position: from + BigInt(i), key, value, headers, time: 0n };
  });
  const prepared = await prepare(
    {
      model,
      activate: async (_, count) => Int32Array.from({ length: 2 * count }, (_, i) => i % 2),
      encoder: null,
      erasureDeadlineMs: 1000,
    },
    records,
  );
  const { database } = pipeline;
  const options = { database, model, kernel, compacts: true, rewrite: within };
  await apply(options, { partition, next: from }, prepared);
}

test('raw inputs are watched, though another partition has met their sample meanwhile', async () => {
  await project([0, 0n], [ingest('s')]);
  await query(`INSERT INTO restatements VALUES ('s', 0, 0, true)`);
  let restating: Started | undefined;
  await project([1, 0n], [ingest('s')], async () => {
    restating = await start(() => pipeline.restate());
  });
  await restating?.end;
  const { rows } = await query('SELECT key, partition, restated FROM erasures');
  expect(rows).toEqual([{ key: 's', partition: 0, restated: true }]);
});

test('while the log is replayed, nothing is entered as erased that it has not come to', async () => {
  await project([1, 0n], [ingest('s')]);
  await pipeline.build();
  await project([0, 0n], [remove('s')]);
  await pipeline.build();
  // Partition 0 is clean; partition 1 is not.
  await query('DELETE FROM erasures WHERE partition = 0');
  expect(await recordErasures(pipeline.database)).toBe(0);
  const ends = new Map([
    [0, 2n],
    [1, 1n],
  ]);
  await dropProjections(pipeline.database, ends, true);
  await project([0, 0n], [rollRecord(), deletionRecord('s', 'd-s')]);
  expect(await recordErasures(pipeline.database)).toBe(0);
  await project([1, 0n], [ingest('s')]);
  // Partition 1 has its payload still.
  expect(await recordErasures(pipeline.database)).toBe(0);
  await query(`DELETE FROM erasures; UPDATE tombstones SET erased_at = now()`);
  expect(await recordErasures(pipeline.database)).toBe(1);
});

/** Asks for a deletion, and nobody can say of what. */
function unreadable(sampleId: string): NewRecord {
  const { key, value } = remove(sampleId);
  return { key, value: (value ?? new Uint8Array()).subarray(0, -2) };
}

test('nothing is kept of what stops a partition while another deletes the sample', async () => {
  await project([0, 0n], [ingest('s')]);
  let stopping: Started | undefined;
  await project([0, 1n], [remove('s')], async () => {
    stopping = await start(() => project([1, 0n], [unreadable('s')]));
  });
  await expect(stopping?.end).rejects.toMatchObject({ code: 'partition_stopped' });
  expect((await query('SELECT key, value FROM dead_letters')).rows).toEqual([
    { key: 's', value: null },
  ]);
  expect(await pipeline.skip()).toBe(1);
  await project([1, 0n], [unreadable('s')]);
  const { rows } = await query('SELECT partition FROM erasures ORDER BY 1');
  expect(rows).toEqual([{ partition: 0 }, { partition: 1 }]);
});

test('a sample is not lost with the log that keeps only what was skipped under its key', async () => {
  await pipeline.append([ingest('s'), unreadable('s')]);
  expect(await pipeline.project(10)).toBe(0);
  expect(await pipeline.skip()).toBe(1);
  while ((await pipeline.project(10)) > 0);
  await pipeline.compact();
  await pipeline.replay();
  while ((await pipeline.project(10)) > 0);
  expect((await query('SELECT sample_id AS id FROM samples')).rows).toEqual([{ id: 's' }]);
});

test('nor with one that keeps only what the database could not store', async () => {
  await query('ALTER TABLE samples ADD CHECK (label = 0)');
  const other = sampleCorrected({ sampleId: 's', label: 'b', encoding: [1, 2, 3, 4] }, meta('c'));
  await pipeline.append([ingest('s'), toNewRecord(other)]);
  while ((await pipeline.project(10)) > 0);
  await pipeline.compact();
  await pipeline.replay();
  while ((await pipeline.project(10)) > 0);
  expect((await query('SELECT sample_id AS id FROM samples')).rows).toEqual([{ id: 's' }]);
});

const replay = () => dropProjections(pipeline.database, new Map([[0, 2n]]), true);

test('what a batch under way brings keeps its commitment in a replay, too', async () => {
  await project([0, 0n], [ingest('a')]);
  let replaying: Started | undefined;
  await project([0, 1n], [ingest('b')], async () => {
    replaying = await start(replay);
  });
  await replaying?.end;
  const { rows } = await query('SELECT sample_id AS id FROM saved_seals ORDER BY 1');
  expect(rows).toEqual([{ id: 'a' }, { id: 'b' }]);
});

test('a replay waits for who reads one of its tables and then another', async () => {
  await other.query('BEGIN; SELECT FROM restatements');
  const { end } = await start(replay);
  await other.query('SELECT FROM samples; COMMIT');
  await end;
});

test('what a replay has met again is not taken for what was erased before it', async () => {
  const { database, log } = pipeline;
  const both = [ingest('s'), remove('s')];
  await pipeline.append(both);
  await project([0, 0n], both);
  let replaying: Promise<void> | undefined;
  const replayOnce = () => {
    replaying ??= replay();
    return replaying;
  };
  const pool: typeof database.pool = Object.create(database.pool, {
    query: {
      value: async (text: string, values: unknown[]) => {
        if (text.includes('FROM offsets')) await replayOnce();
        return database.pool.query(text, values);
      },
    },
  });
  const slow: EventLog = Object.create(log, {
    erase: {
      value: async (...given: Parameters<EventLog['erase']>) => {
        await replayOnce();
        const read = await pipeline.records();
        const progress = await log.erase(...given);
        await project([0, 0n], read);
        return progress;
      },
    },
  });
  await eraseFromLog({ database: { ...database, pool }, log: slow, topic: 'sample-events' });
  const payloads = (await pipeline.records()).filter((one) => !isOwnDeletion(one));
  const { rows } = await query('SELECT key FROM erasures');
  expect({ payloads: payloads.length, waiting: rows.length }).toEqual({ payloads: 0, waiting: 0 });
});

test('a build that a replay has overtaken is not committed', async () => {
  await pipeline.append([ingest('a'), ingest('b')]);
  await pipeline.project(10);
  await holder.query('BEGIN; SELECT FROM adapters FOR UPDATE');
  const building = await start(() => pipeline.build());
  await query('DELETE FROM log_records');
  await pipeline.replay();
  await holder.query('COMMIT');
  await expect(building.end).rejects.toMatchObject({ code: 'build_overtaken' });
  await pipeline.build();
  expect((await query('SELECT retained FROM versions')).rows).toEqual([{ retained: 0n }]);
});

test('after a replay too, what could not be read of a sample is erased in each partition', async () => {
  const unreadable = { ...ingest('s'), value: Buffer.from('of a person') };
  const both = async () => {
    await project([1, 0n], [unreadable]);
    await project([0, 0n], [remove('s')]);
    return (await query('SELECT partition FROM erasures ORDER BY partition')).rows;
  };
  expect(await both()).toEqual([{ partition: 0 }, { partition: 1 }]);
  const ends = [0, 1].map((partition) => [partition, 1n] as const);
  await dropProjections(pipeline.database, new Map(ends), true);
  expect(await both()).toEqual([{ partition: 0 }, { partition: 1 }]);
});
