import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { buildModel } from '#src/model/build.js';
import { dropOldStatistics } from '#src/store/statistics.js';
import { expectStatisticsRight } from '../support/built.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { toNewRecord } from '../support/history.js';
import { rowsOf, tinyModel } from '../support/models.js';
import { Pipeline } from '../support/pipeline.js';

// Two adapters of all samples: both keep statistics, and every deletion is owed to both.
const model = tinyModel({
  adapters: 2,
  activated: 2,
  encoder: { kind: 'identity', dimension: 3, scale: 1 },
});
const COUNT = 60;
const samples = Array.from({ length: COUNT }, (_, i) => ({
  x: [0, 1, 2].map((j) => ((i + 1) * (j + 3) * 53) % 127),
  label: i % 3,
}));

let made: TestDatabase;
let pipeline: Pipeline;
let gone: Set<number>;

beforeAll(async () => {
  made = await createTestDatabase();
  pipeline = new Pipeline(made.url, model, await loadWasmKernel());
});
afterAll(async () => {
  await pipeline.close();
  await made.drop();
});

beforeEach(async () => {
  gone = new Set();
  await pipeline.begin();
  await ingest(samples.map((_, i) => i));
  await pipeline.project(1000, false);
  await pipeline.build();
  expect(await kept()).toEqual([COUNT, COUNT]);
});

const ingest = (which: readonly number[]) =>
  pipeline.append(
    which.map((i) => {
      const { x, label } = samples[i] as (typeof samples)[number];
      const data = {
        sampleId: `s${i}`,
        label: model.configuration.classes[label] ?? '',
        encoding: x,
      };
      return toNewRecord(sampleIngested(data, { id: `${i}`, source: 'urn:test' }));
    }),
  );

/** `buildsHere`: whether the process that projects the deletion leads the builds, too. */
async function remove(i: number, buildsHere: boolean): Promise<void> {
  gone.add(i);
  const event = sampleDeleted({ sampleId: `s${i}` }, { id: `d${i}`, source: 'urn:test' });
  await pipeline.append([toNewRecord(event)]);
  await pipeline.project(1000, buildsHere);
}

const query = async (sql: string) => (await pipeline.database.pool.query(sql)).rows;

/** How many members the kept sums are over, by adapter. */
const kept = async (): Promise<number[]> =>
  (await query('SELECT count FROM adapter_statistics ORDER BY adapter')).map(({ count }) => count);

const readings = () => query(`SELECT adapter, sums FROM adapter_statistics ORDER BY adapter`);

/** The version in service is what the rest alone gives, and so are the statistics. */
async function expectExact(): Promise<void> {
  const rows = rowsOf(samples.filter((_, i) => !gone.has(i)));
  const [latest] = await query('SELECT model_digest FROM versions ORDER BY version DESC LIMIT 1');
  expect(latest.model_digest).toBe(buildModel(plainKernel, model, rows).modelDigest);
  expect(await kept()).toEqual([COUNT - gone.size, COUNT - gone.size]);
  await expectStatisticsRight(pipeline.database, model);
}

/** Sums that are wrong on purpose: whoever builds from them has another model. */
const spoil = () =>
  query(`UPDATE adapter_statistics SET sums = set_byte(sums, 0, (get_byte(sums, 0) + 1) % 256)`);

describe('what was taken away', () => {
  test('is subtracted by the build where the same process projects and builds', async () => {
    const before = await readings();
    await remove(7, true);
    expect(await readings()).toEqual(before);
    await pipeline.build();
    await expectExact();
  });

  test('is subtracted by the projection where another process builds', async () => {
    await remove(7, false);
    expect(await kept()).toEqual([COUNT - 1, COUNT - 1]);
    await pipeline.build();
    await expectExact();
  });

  test.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('twice before a build (here: %s, %s) is subtracted once each', async (first, second) => {
    await remove(7, first);
    await remove(8, second);
    await pipeline.build();
    await expectExact();
    await remove(9, true);
    await pipeline.build();
    await expectExact();
  });

  test('and is not known any more, makes the build sum all members again', async () => {
    await remove(7, true);
    await spoil();
    // Another process leads the builds from now on.
    await pipeline.project(1000, false);
    await pipeline.build();
    await expectExact();
  });

  test('is not in what a build that was overtaken keeps', async () => {
    await remove(7, true);
    await pipeline
      .build(async () => {
        await remove(8, true);
        await pipeline.build();
      })
      .catch(() => {});
    await remove(9, true);
    await pipeline.build();
    await expectExact();
  });
});

describe('statistics', () => {
  test('are used: where they are wrong, so is the model', async () => {
    await spoil();
    await remove(7, true);
    await pipeline.build();
    await expect(expectExact()).rejects.toThrow();
  });

  test('of another cut than the adapter was built at are not used, and dropped', async () => {
    await spoil();
    await query(`UPDATE adapter_statistics SET through = '{"0": "1"}'`);
    await remove(7, true);
    await pipeline.build();
    await expectExact();
    await query(`UPDATE adapter_statistics SET through = '{"0": "1"}' WHERE adapter = 1`);
    await dropOldStatistics(pipeline.database.pool);
    expect(await query('SELECT adapter FROM adapter_statistics')).toEqual([{ adapter: 0 }]);
  });

  test('hold on where what came changes none of them', async () => {
    await remove(7, false);
    const before = await readings();
    await pipeline.build();
    expect(await readings()).toEqual(before);
    await remove(8, true);
    await pipeline.build();
    await expectExact();
  });

  test('of adapters with few members left are not kept', async () => {
    for (let i = 0; i < COUNT - 3; i++) await remove(i, true);
    await pipeline.build();
    expect(await kept()).toEqual([]);
  });
});
