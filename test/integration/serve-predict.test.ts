import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { float32Data, int8Data } from '#src/events/cloud-event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { createModel } from '#src/model/model.js';
import { predict } from '#src/model/predict.js';
import { Predictor } from '#src/serve/predictor.js';
import { loadServedModel } from '#src/store/served-model.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { configuration, syntheticRows } from '../support/models.js';

/** Numbers are doubled when they are quantised. */
const model = createModel(
  configuration({
    encoder: { kind: 'identity', dimension: 8, scale: 2 },
    keys: { kind: 'random', seed: 'predict' },
    adapters: 24,
    activated: 3,
  }),
  {},
);
const COUNT = 150;
const { encodings } = syntheticRows('probes', COUNT, 8, 3);
const probes = Array.from({ length: COUNT }, (_, i) => encodings.slice(i * 8, (i + 1) * 8));

let http: TestHttp;
beforeEach(async () => {
  http = await openTestHttp(model);
});
afterEach(() => http.close());

type Answer = {
  version: number;
  modelDigest: string;
  predictions: { label: string | null; scores: Record<string, number>; adapters: number[] }[];
};

const post = (body: unknown) =>
  http.ask('/v1/predict', 'predict', { method: 'POST', body: JSON.stringify(body) });
const ask = async (given: readonly unknown[]): Promise<Answer> => {
  const answer = await post({ encodings: given });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Answer;
};
const problem = async (answer: Response) => {
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  return { status: answer.status, code, detail };
};
const asInt8 = () => probes.map((probe) => int8Data(probe));

/** By the plain kernel, from the stored weights. */
async function expected() {
  const served = await loadServedModel(http.service.database, model);
  if (!served) throw new Error('nothing is published');
  const { classes } = model.configuration;
  return predict(plainKernel, model, served.weights, encodings, COUNT).map(
    ({ label, scores, adapters }) => ({
      label,
      scores: Object.fromEntries(classes.map((name, c) => [name, scores[c]])),
      adapters,
    }),
  );
}

describe('a prediction', () => {
  test('is that of the version in service, bit for bit, and names it', async () => {
    await http.append(ingests(model, 's', 60));
    await http.catchUp();
    const first = await ask(asInt8());
    expect(first.predictions).toEqual(await expected());
    expect(first.version).toBe(1);
    await http.append([deletion('s3')]);
    await http.catchUp();
    const second = await ask(asInt8());
    expect(second.predictions).toEqual(await expected());
    expect(second.predictions).not.toEqual(first.predictions);
    const latest = (await http.json('/v1/versions/latest')) as Answer;
    expect(second).toMatchObject({ version: 2, modelDigest: latest.modelDigest });
  });

  test('is the same however its encoding is written', async () => {
    await http.append(ingests(model, 's', 60));
    await http.catchUp();
    const [probe = new Int8Array()] = probes;
    const halves = Float32Array.from(probe, (value) => value / 2);
    const { predictions } = await ask([[...halves], float32Data(halves), int8Data(probe)]);
    expect(predictions[1]).toEqual(predictions[0]);
    expect(predictions[2]).toEqual(predictions[0]);
  });

  test('without members says so', async () => {
    await http.append(ingests(model, 's', 1));
    await http.catchUp();
    const { predictions } = await ask(asInt8());
    expect(predictions.some(({ label }) => label === null)).toBe(true);
  });

  test('many at a time are all answered, while versions change, each by one version', async () => {
    await http.append(ingests(model, 's', 40));
    await http.catchUp();
    const byVersion = new Map<number, unknown>();
    const asking = Array.from({ length: 8 }, async (_, i) => {
      for (let k = 0; k < 3; k++) {
        const { version, predictions } = await ask(asInt8());
        const known = byVersion.get(version);
        if (known) expect(predictions, `${i}`).toEqual(known);
        else byVersion.set(version, predictions);
      }
    });
    await http.append(ingests(model, 't', 20));
    await http.catchUp();
    await Promise.all(asking);
  });
});

describe('what cannot be predicted', () => {
  test('is said before a version is published', async () => {
    expect(await problem(await post({ encodings: asInt8() }))).toMatchObject({
      status: 404,
      code: 'no_version',
    });
  });

  test.each([
    ['too short', [[1, 2]], 'wrong_dimension', 'encodings.0: '],
    ['bytes too few', [{ int8: 'AAAA' }], 'wrong_dimension', 'encodings.0: '],
    ['the second', [[1, 2, 3, 4, 5, 6, 7, 8], [1]], 'wrong_dimension', 'encodings.1: '],
    ['no base64', [{ int8: 'AAA' }], 'invalid_request', 'encodings.0: expected base64'],
    ['not finite', [{ float32: 'AADAfw==' }], 'invalid_request', 'encodings.0: expected a finite'],
    ['a text', ['secret'], 'invalid_request', 'encodings.0: expected an array of numbers'],
    ['nothing', [], 'invalid_request', 'encodings: '],
    ['no list', {}, 'invalid_request', 'encodings: '],
    ['too many', new Array(1001).fill([1]), 'invalid_request', 'encodings: '],
  ])('is named by its index: %s', async (_, given, code, detail) => {
    const found = await problem(await post({ encodings: given }));
    expect(found).toMatchObject({ status: 400, code, detail: expect.stringContaining(detail) });
    expect(found.detail).not.toContain('secret');
  });

  test('is a body that is none, or too large', async () => {
    const send = (body: string) => http.ask('/v1/predict', 'predict', { method: 'POST', body });
    expect((await send('{')).status).toBe(400);
    expect((await send('')).status).toBe(400);
    expect((await send('{"encodings":[[1,2,3,4,5,6,7,8]],"other":1}')).status).toBe(400);
    expect((await send(' '.repeat(8 * 1024 * 1024 + 1))).status).toBe(413);
  });

  test('is more than an answer may hold, with many classes', async () => {
    const classes = Array.from({ length: 1000 }, (_, c) => `${c}`.padStart(200, 'x'));
    const wide = createModel(
      configuration({
        classes,
        encoder: { kind: 'identity', dimension: 2, scale: 1 },
        keys: { kind: 'random', seed: 'wide' },
        adapters: 2,
        activated: 1,
      }),
      {},
    );
    const other = await openTestHttp(wide);
    try {
      const body = JSON.stringify({ encodings: new Array(100).fill([1, 2]) });
      const answer = await other.ask('/v1/predict', 'all', { method: 'POST', body });
      expect(await problem(answer)).toMatchObject({ status: 413, code: 'too_many_encodings' });
    } finally {
      await other.close();
    }
  });
});

describe('weights in memory', () => {
  test('are let go of when their version is superseded, though nobody predicts any more', async () => {
    await http.append(ingests(model, 's', 60));
    await http.catchUp();
    const { database, kernel } = http.service;
    const predictor = new Predictor({ database, model, kernel });
    expect(predictor.held.size).toBe(0);
    await predictor.refresh();
    expect(predictor.held.size).toBe(0);
    await predictor.predict(encodings, COUNT);
    const before = predictor.held;
    await http.append([deletion('s3')]);
    await http.catchUp();
    await predictor.refresh();
    const { rows } = await database.pool.query<{ digest: string }>('SELECT digest FROM weights');
    const stored = new Set(rows.map(({ digest }) => digest));
    expect([...before].some((digest) => !stored.has(digest))).toBe(true);
    expect([...predictor.held].filter((digest) => !stored.has(digest))).toEqual([]);
    expect(predictor.held.size).toBeGreaterThan(0);
  });

  test('are let go of by the server when it hears of the next version', async () => {
    const { database } = http.service;
    let connections = 0;
    const { pool } = database;
    // Only to load a model does the server take a connection by itself.
    const counting = new Proxy(pool, {
      get: (target, name) => {
        if (name === 'connect') connections++;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const other = await openTestHttp(model, { database: { ...database, pool: counting } });
    try {
      await http.append(ingests(model, 's', 60));
      await http.catchUp();
      const body = JSON.stringify({ encodings: asInt8() });
      const answer = await other.ask('/v1/predict', 'all', { method: 'POST', body });
      expect(answer.status).toBe(200);
      expect(connections).toBe(1);
      // Nothing is retired: else it would let go without taking others up.
      await http.append(ingests(model, 't', 20));
      await http.catchUp();
      while (connections === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    } finally {
      await other.close();
    }
  });

  test('are not read again where the next version has them too', async () => {
    await http.append(ingests(model, 's', 60));
    await http.catchUp();
    const { database } = http.service;
    const first = await loadServedModel(database, model);
    await http.append([deletion('s3')]);
    await http.catchUp();
    const second = await loadServedModel(database, model, first?.held);
    const shared = [...(second?.held.keys() ?? [])].filter((digest) => first?.held.has(digest));
    expect(shared.length).toBeGreaterThan(10);
    for (const digest of shared) expect(second?.held.get(digest)).toBe(first?.held.get(digest));
    expect(second?.weights).toEqual((await loadServedModel(database, model))?.weights);
  });

  test('of a version with a deleted sample are not used, though the next is not announced', async () => {
    await http.append(ingests(model, 's', 60));
    await http.catchUp();
    await ask(asInt8());
    const { pool } = http.service.database;
    await pool.query('UPDATE versions SET retired_at = now()');
    const answer = await post({ encodings: asInt8() });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await problem(answer)).toMatchObject({ status: 503, code: 'version_retired' });
    await pool.query('DELETE FROM weights');
    await expect(loadServedModel(http.service.database, model)).rejects.toMatchObject({
      code: 'version_retired',
    });
    await pool.query('UPDATE versions SET retired_at = NULL');
    await expect(loadServedModel(http.service.database, model)).rejects.toMatchObject({
      code: 'weights_corrupt',
    });
  });
});
