import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LIMITS } from '#src/events/record.js';
import { saveEncoder } from '#src/store/encoder.js';
import { openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

const model = tinyModel({ encoder: smallEncoder, keys: { kind: 'random', seed: 'images' } });
const [dark = '', light = ''] = model.configuration.classes;

let http: TestHttp;
beforeAll(async () => {
  http = await openTestHttp(model);
});
afterAll(() => http.close());

const image = async (value: number) => {
  const png = sharp({
    create: { width: 4, height: 6, channels: 3, background: grey(value) },
  }).png();
  return { mediaType: 'image/png', base64: (await png.toBuffer()).toString('base64') };
};
const grey = (value: number) => ({ r: value, g: value, b: value });

const post = async (path: string, body: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'content-type': 'application/cloudevents+json' };
  const answer = await http.ask(path, 'all', { method: 'POST', body: text, headers });
  return { status: answer.status, body: (await answer.json()) as { detail?: string } };
};
const event = (sampleId: string, label: string, input: object) =>
  JSON.stringify({
    specversion: '1.0',
    id: sampleId,
    source: 'urn:test',
    type: 'legonet.sample.ingested.v1',
    data: { sampleId, label, input },
  });
const predict = (inputs: readonly object[]) => post('/v1/predict', { inputs });

test('while the encoder’s files are not there, images wait: no prediction, and no sample is lost', async () => {
  expect(await post('/v1/events', event('d0', dark, await image(0)))).toMatchObject({
    status: 202,
  });
  expect(await predict([await image(0)])).toMatchObject({
    status: 503,
    body: { code: 'encoder_unavailable' },
  });
  await expect(http.catchUp()).rejects.toMatchObject({
    code: 'encoder_unavailable',
    retry: 'stop',
  });
  await saveEncoder(http.service.database.pool, smallFiles);
  await http.catchUp();
  expect(await http.json('/v1/status')).toMatchObject({ retained: 1 });
});

test('images are predicted, and a bad one is named by its place', async () => {
  for (const value of [10, 20, 230, 240]) {
    const label = value < 128 ? dark : light;
    const sent = event(`s${value}`, label, await image(value));
    expect(await post('/v1/events', sent)).toMatchObject({ status: 202 });
  }
  await http.catchUp();
  expect(await http.json('/v1/status')).toMatchObject({ retained: 5 });
  expect(await predict([await image(15), await image(235)])).toMatchObject({
    status: 200,
    body: { predictions: [{ label: dark }, { label: light }] },
  });
  const bad = { mediaType: 'image/png', base64: 'AAAA' };
  const { status, body } = await predict([await image(1), bad]);
  expect({ status, ...body }).toMatchObject({ status: 400, code: 'input_not_encodable' });
  expect(body.detail).toMatch(/inputs\.1.*not a PNG, JPEG or WebP/);
});

test('an event with an image may be as large as a record, and not a byte larger', async () => {
  const { base64 } = await image(100);
  const png = Buffer.from(base64, 'base64');
  /** Decoders do not read what is behind an image's end. */
  const padded = (bytes: number) => {
    const input = { mediaType: 'image/png', base64: '' };
    const room = bytes - event('large', dark, input).length;
    const filled = Buffer.concat([png, Buffer.alloc(Math.floor(room / 4) * 3 - png.length)]);
    const text = event('large', dark, { ...input, base64: filled.toString('base64') });
    return `${text.slice(0, -1)}${' '.repeat(bytes - text.length)}}`;
  };
  const { status, body } = await post('/v1/events', padded(LIMITS.recordBytes + 1));
  expect({ status, ...body }).toMatchObject({ status: 413 });
  expect(JSON.stringify(body)).toContain('oversize');
  expect(await post('/v1/events', padded(LIMITS.recordBytes))).toMatchObject({ status: 202 });
  await http.catchUp();
  expect(await http.json('/v1/status')).toMatchObject({ retained: 6 });
});
