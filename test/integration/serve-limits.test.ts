import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { text } from '#src/serve/answer.js';
import { route } from '#src/serve/route.js';
import { openTestHttp, type TestHttp, token } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel();
let http: TestHttp;
afterEach(() => http.close());

const status = async (path: string, scope: Parameters<TestHttp['ask']>[1]) =>
  (await http.ask(path, scope)).status;

test('a token has so many requests a minute, and nobody loses by another', async () => {
  http = await openTestHttp(model, { ratePerMinute: 3 });
  for (let i = 0; i < 3; i++) expect(await status('/v1/versions', 'predict')).toBe(200);
  const answer = await http.ask('/v1/model', 'predict');
  expect(answer.status).toBe(429);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const wait = Number(answer.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60);
  expect(await answer.json()).toMatchObject({ status: 429, code: 'too_many_requests' });
  expect(await status('/v1/versions', 'all')).toBe(200);
});

test('who has no token is counted by address, and counts against no token', async () => {
  http = await openTestHttp(model, { ratePerMinute: 2 });
  const guess = (name: string) =>
    http.ask('/v1/versions', null, { headers: { authorization: `Bearer ${name}` } });
  expect((await guess('one')).status).toBe(401);
  expect((await guess('two')).status).toBe(401);
  expect((await guess('three')).status).toBe(429);
  expect(await status('/v1/versions', null)).toBe(429);
  expect(await status('/v1/versions', 'predict')).toBe(200);
});

test('a request beyond the limit is refused before its body is read', async () => {
  http = await openTestHttp(model, { ratePerMinute: 1 });
  expect(await status('/v1/versions', 'all')).toBe(200);
  const body = 'x'.repeat(8 * 1024 * 1024 + 1);
  expect((await http.ask('/v1/events', 'all', { method: 'POST', body })).status).toBe(429);
});

test('what is open is not counted', async () => {
  http = await openTestHttp(model, { ratePerMinute: 1 });
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
    for (let i = 0; i < 3; i++) expect(await status(path, 'all'), path).toBe(200);
  }
});

test('so many bodies are taken at a time as there is memory for, and all that end make room', async () => {
  http = await openTestHttp(model);
  const { hostname, port } = new URL(http.server.url);
  const begin = () => {
    const headers = { authorization: `Bearer ${token('all')}`, 'content-length': '100' };
    const sending = request({ hostname, port, path: '/v1/predict', method: 'POST', headers });
    sending.on('error', () => {});
    sending.write('{');
    return sending;
  };
  const post = () => http.ask('/v1/predict', 'all', { method: 'POST', body: '{}' });
  const slow = Array.from({ length: 16 }, begin);
  let answer = await post();
  while (answer.status !== 503) answer = await post();
  expect(await answer.json()).toMatchObject({ code: 'too_busy' });
  for (const sending of slow) sending.destroy();
  while ((await post()).status === 503);
});

test('what is no HTTP is answered with a problem, and the connection is closed', async () => {
  http = await openTestHttp(model);
  const { hostname, port } = new URL(http.server.url);
  const socket = connect(Number(port), hostname);
  socket.write('this is no request\r\n\r\n');
  let raw = '';
  for await (const chunk of socket) raw += chunk;
  expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  expect(JSON.parse(raw.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'invalid_request' });
});

test.each([
  ['/v1/samples/%zz', 400, 'invalid_request'],
  [`/v1/samples/${'x'.repeat(5000)}`, 404, 'no_route'],
  [`/v1/samples/${encodeURIComponent('\u{1f980}'.repeat(128))}`, 200, undefined],
  ['/v1/versions/', 400, 'invalid_request'],
  ['/V1/versions', 404, 'no_route'],
])('a path that is odd is answered in order: %s', async (path, expected, code) => {
  http = await openTestHttp(model);
  const answer = await http.ask(path);
  expect(answer.status).toBe(expected);
  expect(((await answer.json()) as { code?: string }).code).toBe(code);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
});

test('a body that is sent where nothing is, or another method is meant, changes no answer', async () => {
  http = await openTestHttp(model);
  const body = 'x'.repeat(8 * 1024 * 1024 + 1);
  expect((await http.ask('/nothing', 'all', { method: 'POST', body })).status).toBe(404);
  expect((await http.ask('/v1/versions', 'all', { method: 'POST', body })).status).toBe(405);
});

test('a tree of paths can be served to everybody, as often as they ask', async () => {
  const tree = route({
    method: 'GET',
    path: '/tile/*',
    summary: 'A tile',
    scopes: null,
    params: z.object({ '*': z.string() }),
    answers: { 200: { description: 'Its path.', content: { 'text/plain': z.string() } } },
    handle: ({ params }) => text('text/plain', params['*']),
  });
  http = await openTestHttp(model, { ratePerMinute: 1 }, [tree]);
  for (const path of ['0/x001/x234/067', '0/000.p/5', 'entries/000']) {
    const answer = await http.ask(`/tile/${path}`, null);
    expect([answer.status, await answer.text()]).toEqual([200, path]);
  }
  const post = await http.ask('/tile/0', null, { method: 'POST' });
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});
