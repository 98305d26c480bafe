import { rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '#src/store/database.js';
import { legonet, legonetJson } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestHttp, type TestHttp } from '../support/http.js';
import { LANGUAGES } from '../support/languages.js';
import { tinyModel } from '../support/models.js';
import { tablesWith } from '../support/tables-with.js';

const event = (id: string, label: string, input: unknown) => ({
  specversion: '1.0',
  type: 'legonet.sample.ingested.v1',
  id,
  source: 'urn:test',
  data: { sampleId: id, label, input },
});

describe('a model of texts, on the command line', () => {
  let folder: string;
  let database: TestDatabase;
  let environment: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'legonet-test-texts-'));
    await chmod(folder, 0o711);
    database = await createTestDatabase();
    environment = { DATABASE_URL: database.url, LOG_LEVEL: 'warn' };
  });
  afterAll(async () => {
    await database.drop();
    rmSync(folder, { recursive: true });
  });
  const json = (...args: string[]) => legonetJson(args, environment);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test('takes texts from CSV and NDJSON, keeps none, and predicts texts', async () => {
    await legonet(['init', `${LANGUAGES}MODEL.json`], environment);
    await json('ingest', `${LANGUAGES}stream.csv.gz`, '--limit', '320');
    const more = event('extra', 'dan', { text: 'et menneske uden for hele samlingen' });
    await json('ingest', file('more.ndjson', `${JSON.stringify(more)}\n`));
    await legonet(['start', '--once'], environment);
    expect(await json('status')).toMatchObject({ retained: 321, lag: 0 });

    const open = openDatabase(database.url);
    try {
      for (const words of ['uden for hele samlingen', 'Всички хора', '"input"']) {
        expect(await tablesWith(open, words)).toEqual([]);
      }
    } finally {
      await open.close();
    }
    expect(await json('rebuild', '--from-scratch', '--check')).toMatchObject({ equal: true });

    const csv = file(
      'ask.csv',
      'id,text\na,"Всички хора се раждат, свободни"\nb,Tots els éssers humans\n',
    );
    expect(await json('predict', csv)).toMatchObject([
      { sampleId: 'a', label: 'bul' },
      { sampleId: 'b', label: 'cat' },
    ]);
    const lines = file(
      'ask.ndjson',
      `${JSON.stringify(event('c', 'cat', { text: 'els drets' }))}\n`,
    );
    expect(await json('predict', lines)).toMatchObject([{ sampleId: 'c', expected: 'cat' }]);
  });
});

describe('a model of texts, over HTTP', () => {
  const encoder = {
    kind: 'hashing-text',
    dimension: 16,
    scale: 20,
    analyzer: 'char',
    norm: 'none',
  };
  let http: TestHttp;
  beforeAll(async () => {
    http = await openTestHttp(tinyModel({ encoder }));
  });
  afterAll(() => http.close());
  const post = async (path: string, body: unknown, type = 'application/json') => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': type } };
    const answer = await http.ask(path, 'all', init);
    return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) };
  };
  const send = (body: unknown) => post('/v1/events', body, 'application/cloudevents+json');

  test('takes texts, and refuses what no encoder of the model takes', async () => {
    expect(await send(event('s1', 'a', { text: 'aaa' }))).toMatchObject({ status: 202 });
    expect(await send(event('s2', 'b', { text: 'zzz' }))).toMatchObject({ status: 202 });
    const image = event('s3', 'a', { mediaType: 'image/png', base64: 'AAAA' });
    expect(await send(image)).toMatchObject({
      status: 400,
      problems: [{ code: 'input_not_encodable' }],
    });
    expect(await post('/v1/predict', { inputs: [{ text: 'aaa' }] })).toMatchObject({ status: 404 });
    await http.catchUp();
    expect(await post('/v1/predict', { inputs: [{ text: 'aaa' }, { text: 'zzz' }] })).toMatchObject(
      {
        status: 200,
        predictions: [{ label: 'a' }, { label: 'b' }],
      },
    );
  });

  test('says what is wrong with what is to be predicted', async () => {
    const inputs = [{ text: 'a' }, { mediaType: 'image/png', base64: 'AAAA' }];
    expect(await post('/v1/predict', { inputs })).toMatchObject({
      status: 400,
      code: 'input_not_encodable',
      detail: expect.stringContaining('inputs.1'),
    });
    for (const body of [{}, { inputs: [{ text: 'a' }], encodings: [[1]] }, { inputs: [] }]) {
      expect(await post('/v1/predict', body)).toMatchObject({
        status: 400,
        code: 'invalid_request',
      });
    }
  });
});
