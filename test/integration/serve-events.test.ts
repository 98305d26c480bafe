import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import type { EmbeddedLog } from '#src/log/embedded.js';
import type { Scope } from '#src/serve/tokens.js';
import { readSample } from '#src/store/audit.js';
import { openTestHttp, type TestHttp, token } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const STRUCTURED = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';
const TOPIC = 'legonet.sample-events';

const model = tinyModel();
let http: TestHttp;
beforeAll(async () => {
  http = await openTestHttp(model);
});
afterAll(() => http.close());

const content = (sampleId: string) => ({ sampleId, label: 'b', encoding: [1, -2, 3, 100] });
const event = (sampleId: string, changes: Record<string, unknown> = {}) => ({
  specversion: '1.0',
  id: `i-${sampleId}`,
  source: 'urn:test',
  type: 'legonet.sample.ingested.v1',
  data: content(sampleId),
  ...changes,
});

const post = (body: RequestInit['body'], headers: Record<string, string>) =>
  http.ask('/v1/events', 'all', { method: 'POST', body: body ?? null, headers });
const send = (value: unknown, type = STRUCTURED) =>
  post(JSON.stringify(value), { 'content-type': type });

const records = () => (http.service.log as EmbeddedLog).read(TOPIC, 0n, 10_000);
const retained = async (sampleId: string) =>
  (await readSample(http.service.database.pool, sampleId)).state;

describe('an event that is sent', () => {
  test('structured is in the log as it came, and is projected', async () => {
    const answer = await send(event('one/ü'));
    expect([answer.status, await answer.json()]).toEqual([202, { ids: ['i-one/ü'] }]);
    const [record] = (await records()).slice(-1);
    expect(record).toMatchObject({
      key: 'one/ü',
      headers: { 'content-type': expect.stringContaining(STRUCTURED) },
    });
    expect(JSON.parse(Buffer.from(record?.value ?? []).toString('utf8'))).toEqual(event('one/ü'));
    await http.catchUp();
    expect(await retained('one/ü')).toBe('retained');
  });

  test('in a batch is there with all the others, in their order', async () => {
    const batch = [
      sampleIngested(
        { sampleId: 'b1', label: 'a', encoding: int8Data(new Int8Array(4)) },
        { id: '1', source: 's' },
      ),
      sampleIngested(
        { sampleId: 'b2', label: 'a', encoding: [0, 0, 0, 0] },
        { id: '2', source: 's' },
      ),
      sampleDeleted({ sampleId: 'b1' }, { id: '3', source: 's' }),
    ];
    const before = (await records()).length;
    const answer = await send(batch, `${BATCH}; charset=utf-8`);
    expect([answer.status, await answer.json()]).toEqual([202, { ids: ['1', '2', '3'] }]);
    expect((await records()).slice(before).map(({ key }) => key)).toEqual(['b1', 'b2', 'b1']);
    await http.catchUp();
    expect([await retained('b1'), await retained('b2')]).toEqual(['deleted', 'retained']);
    expect((await send([], BATCH)).status).toBe(202);
  });

  test('in binary mode keeps its attributes, percent-encoded ones decoded', async () => {
    const answer = await post(JSON.stringify(content('bin')), {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'caf%C3%A9%20%22%E2%82%AC',
      'ce-source': 'urn:test',
      'ce-type': 'legonet.sample.ingested.v1',
      'ce-time': '2024-01-01T00:00:00Z',
      'ce-traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect([answer.status, await answer.json()]).toEqual([202, { ids: ['café "€'] }]);
    const [record] = (await records()).slice(-1);
    expect(record).toMatchObject({
      key: 'bin',
      headers: {
        ce_id: 'café "€',
        ce_time: '2024-01-01T00:00:00Z',
        ce_traceparent: expect.stringMatching(/^00-/),
      },
    });
    await http.catchUp();
    expect(await retained('bin')).toBe('retained');
  });

  test('to erase a subject is under the subject’s key', async () => {
    const erasure = event('', {
      id: 'e1',
      type: 'legonet.subject.erased.v1',
      data: { subjectId: 'ann', reason: 'withdrew' },
    });
    expect((await send(erasure)).status).toBe(202);
    expect((await records()).at(-1)?.key).toBe('subject:ann');
    await http.catchUp();
    expect(await http.json('/v1/deletions/e1')).toMatchObject([{ target: 'ann', kind: 'subject' }]);
  });

  test('twice counts once', async () => {
    await send(event('twice'));
    await send(event('twice'));
    await http.catchUp();
    expect(await retained('twice')).toBe('retained');
    const { rows } = await http.service.database.pool.query('SELECT FROM dead_letters');
    expect(rows).toEqual([]);
  });
});

describe('a scope', () => {
  const erased = { type: 'legonet.subject.erased.v1', data: { subjectId: 'scope' } };
  const EVENTS = {
    ingested: event('scope'),
    corrected: event('scope', { id: 'c', type: 'legonet.sample.corrected.v1' }),
    deleted: event('scope', {
      id: 'd',
      type: 'legonet.sample.deleted.v1',
      data: { sampleId: 'scope' },
    }),
    erased: event('scope', { id: 'e', ...erased }),
  };
  const status = async (scope: Scope, ...names: (keyof typeof EVENTS)[]) => {
    const body = JSON.stringify(names.map((name) => EVENTS[name]));
    const before = (await records()).length;
    const headers = { 'content-type': BATCH };
    const answer = await http.ask('/v1/events', scope, { method: 'POST', body, headers });
    const appended = (await records()).length - before;
    expect(appended).toBe(answer.status === 202 ? names.length : 0);
    if (answer.status === 403) expect(await answer.json()).toMatchObject({ code: 'scope_missing' });
    return answer.status;
  };

  test.each(['ingested', 'corrected'] as const)('ingest lets in an event %s', async (name) => {
    expect([await status('ingest', name), await status('delete', name)]).toEqual([202, 403]);
  });

  test.each(['deleted', 'erased'] as const)('delete lets in an event %s', async (name) => {
    expect([await status('ingest', name), await status('delete', name)]).toEqual([403, 202]);
  });

  test('is needed for everything in a batch', async () => {
    expect(await status('ingest', 'ingested', 'deleted')).toBe(403);
    expect(await status('delete', 'deleted', 'ingested')).toBe(403);
    expect(await status('admin', 'ingested', 'deleted')).toBe(202);
  });
});

describe('what cannot be taken', () => {
  let before: number;
  beforeEach(async () => {
    before = (await records()).length;
  });

  const refused = async (answer: Response): Promise<unknown> => {
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect((await records()).length).toBe(before);
    return answer.json();
  };

  test.each([
    ['not_json', '{'],
    ['not_json', Buffer.from([0xff, 0xfe, 0x00])],
    ['not_cloudevent', '[]'],
    ['not_cloudevent', '{}'],
    ['unsupported_specversion', JSON.stringify(event('x', { specversion: '0.3' }))],
    ['unknown_type', JSON.stringify(event('x', { type: 'other' }))],
    ['unknown_type', JSON.stringify(event('x', { type: 'legonet.log.rolled.v1' }))],
    ['invalid_time', JSON.stringify(event('x', { time: 'yesterday' }))],
    ['invalid_data', JSON.stringify(event('x', { data: {} }))],
    [
      'invalid_data',
      JSON.stringify(event('x', { data: { ...content('x'), sampleId: 'subject:x' } })),
    ],
    ['invalid_data', JSON.stringify(event('x', { type: 'legonet.sample.deleted.v1', data: {} }))],
    ['unknown_label', JSON.stringify(event('x', { data: { ...content('x'), label: 'zebra' } }))],
    ['wrong_dimension', JSON.stringify(event('x', { data: { ...content('x'), encoding: [1] } }))],
  ])('is a problem with its code, and nothing is appended: %s %#', async (code, body) => {
    const answer = await post(body, { 'content-type': STRUCTURED });
    expect(answer.status).toBe(400);
    const document = await refused(answer);
    expect(document).toMatchObject({
      code: 'invalid_events',
      status: 400,
      problems: [{ index: 0, code }],
    });
    expect(JSON.stringify(document)).not.toMatch(/zebra|yesterday/);
  });

  test('refuses the whole batch, every fault named by its index', async () => {
    const batch = [
      event('ok'),
      7,
      event('y', { type: 'other' }),
      event('fine'),
      event('z', { data: null }),
    ];
    const answer = await send(batch, BATCH);
    expect(answer.status).toBe(400);
    expect(await refused(answer)).toMatchObject({
      code: 'invalid_events',
      detail: expect.stringContaining('3 of 5 events'),
      problems: [
        { index: 1, code: 'not_cloudevent' },
        { index: 2, code: 'unknown_type' },
        { index: 4, code: 'invalid_data' },
      ],
    });
  });

  test.each([
    ['a batch that is none', BATCH, '{}', 400, 'invalid_events'],
    ['a batch that is no JSON', BATCH, '[', 400, 'invalid_events'],
    ['another content type', 'application/json', '{}', 415, 'unsupported_media_type'],
    [
      'another format of events',
      'application/cloudevents+avro',
      'x',
      415,
      'unsupported_media_type',
    ],
  ])('is refused: %s', async (_, type, body, status, code) => {
    const answer = await post(body, { 'content-type': type });
    expect(answer.status).toBe(status);
    expect(await refused(answer)).toMatchObject({ code });
  });

  test('is an event, a batch or a body beyond the limits', async () => {
    const large = event('x', { data: { ...content('x'), padding: 'x'.repeat(1024 * 1024) } });
    const answer = await send(large);
    expect(answer.status).toBe(413);
    expect(await refused(answer)).toMatchObject({ problems: [{ index: 0, code: 'oversize' }] });
    const many = await send(new Array(10_001).fill(0), BATCH);
    expect([many.status, await refused(many)]).toMatchObject([413, { code: 'batch_too_large' }]);
    const huge = await post('x'.repeat(8 * 1024 * 1024 + 1), { 'content-type': STRUCTURED });
    expect([huge.status, await refused(huge)]).toMatchObject([413, { code: 'body_too_large' }]);
  });

  test('is a body beyond the limit that does not say how long it is', async () => {
    const { hostname, port } = new URL(http.server.url);
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token('all')}`, 'content-type': STRUCTURED };
      const path = '/v1/events';
      const sending = request({ hostname, port, path, method: 'POST', headers }, ({ statusCode }) =>
        resolve(statusCode),
      );
      sending.on('error', reject);
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      for (let i = 0; i < 9; i++) sending.write(chunk);
      sending.end();
    });
    expect(status).toBe(413);
    expect((await records()).length).toBe(before);
  });

  test('is refused by its token before its body is read', async () => {
    const body = 'x'.repeat(8 * 1024 * 1024 + 1);
    const answer = await http.ask('/v1/events', 'predict', { method: 'POST', body });
    expect(answer.status).toBe(403);
  });
});
