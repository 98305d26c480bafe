import { expect } from 'vitest';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { buildModel } from '#src/model/build.js';
import type { Model } from '#src/model/model.js';
import { accumulate, emptyStatistics, encodeStatistics, type Rows } from '#src/model/statistics.js';
import type { Trainer } from '#src/model/trainer.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { toNewRecord } from './history.js';
import { Pipeline } from './pipeline.js';

/** A database with the model and the rows projected, as samples s0, s1, …, and nothing built. */
export async function createProjected(model: Model, rows: Rows): Promise<TestDatabase> {
  const created = await createTestDatabase();
  await withPipeline(created.url, model, async (pipeline) => {
    await pipeline.begin();
    await pipeline.append(
      Array.from(rows.labels, (label, i) => {
        const { dimension } = model.shape;
        const encoding = int8Data(rows.encodings.slice(i * dimension, (i + 1) * dimension));
        const data = {
          sampleId: `s${i}`,
          label: `${model.configuration.classes[label]}`,
          encoding,
        };
        return toNewRecord(sampleIngested(data, { id: `i${i}`, source: 's' }));
      }),
    );
    await pipeline.project(rows.labels.length);
  });
  return created;
}

/** Deletes samples, as far as the projection. */
export async function projectDeletions(
  url: string,
  model: Model,
  samples: readonly number[],
): Promise<void> {
  await withPipeline(url, model, async (pipeline) => {
    const deletion = (i: number) =>
      toNewRecord(sampleDeleted({ sampleId: `s${i}` }, { id: `d${i}`, source: 's' }));
    await pipeline.append(samples.map(deletion));
    // The log's own records of the last time come first.
    while ((await pipeline.project(1000)) > 0);
  });
}

async function withPipeline(
  url: string,
  model: Model,
  work: (pipeline: Pipeline) => Promise<void>,
): Promise<void> {
  const pipeline = new Pipeline(url, model, plainKernel);
  try {
    await work(pipeline);
  } finally {
    await pipeline.close();
  }
}

/**
 * The versions are 1, 2, …, the last is what `retained` alone would give, and nothing is left over. Softmax takes a
 * trainer.
 */
export async function expectBuilt(
  url: string,
  model: Model,
  retained: Rows,
  versions: number,
  trainer: Trainer | null = null,
): Promise<void> {
  const database = openDatabase(url, 1);
  try {
    const all = async (sql: string) => (await database.pool.query(sql)).rows;
    const built = buildModel(plainKernel, model, retained, trainer);
    const digests = await all(
      'SELECT version, parent, model_digest FROM versions ORDER BY version',
    );
    expect(digests.map(({ version, parent }) => [version, parent])).toEqual(
      Array.from({ length: versions }, (_, i) => [i + 1, i === 0 ? null : i]),
    );
    expect(digests.at(-1)?.model_digest).toBe(built.modelDigest);
    const weights = await all(
      `SELECT bytes FROM adapters LEFT JOIN weights ON digest = weights_digest ORDER BY adapter`,
    );
    expect(weights.map(({ bytes }) => bytes)).toEqual(
      built.adapters.map(({ bytes }) => Buffer.from(bytes)),
    );
    expect(await all('SELECT * FROM dirty_adapters')).toEqual([]);
    if (!trainer) await expectStatisticsRight(database, model);
  } finally {
    await database.close();
  }
}

/** What is kept are the sums over the members there are. */
export async function expectStatisticsRight({ pool }: Database, { shape }: Model): Promise<void> {
  const kept = await pool.query(
    `SELECT adapter, a.sums, array_agg(s.encoding) AS encodings, array_agg(s.label) AS labels
     FROM adapter_statistics a JOIN adapters USING (adapter) JOIN versions v USING (version)
       JOIN memberships m USING (adapter) JOIN samples s USING (partition, position)
     WHERE v.cut = through AND position < (through ->> partition::text)::bigint GROUP BY adapter`,
  );
  expect(kept.rows.length).toBeGreaterThan(0);
  for (const { sums, encodings, labels } of kept.rows) {
    const rows = { encodings: Int8Array.from(Buffer.concat(encodings)), labels };
    const right = accumulate(plainKernel, emptyStatistics(shape), shape, rows, 1);
    expect(sums).toEqual(Buffer.from(encodeStatistics(right)));
  }
}
