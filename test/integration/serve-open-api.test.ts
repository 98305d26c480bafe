import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { problemDocument } from '#src/serve/answers.js';
import type { Route } from '#src/serve/route.js';
import { ROUTES } from '#src/serve/routes.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel();
let http: TestHttp;
beforeAll(async () => {
  http = await openTestHttp(model);
  await http.append(ingests(model, 's', 40));
  await http.catchUp();
  await http.append([deletion('s7'), deletion('never', 'r-never')]);
  await http.catchUp();
});
afterAll(() => http.close());

const EVENT = {
  specversion: '1.0',
  id: 'e',
  source: 'urn:test',
  type: 'legonet.sample.deleted.v1',
  data: { sampleId: 's8' },
};
const CLOUD_EVENT = { 'content-type': 'application/cloudevents+json' };

/** A good request of each route that needs more than its path, and one that is a problem. */
const REQUESTS: Readonly<Record<string, readonly [string, RequestInit?][]>> = {
  'POST /v1/events': [
    ['', { body: JSON.stringify(EVENT), headers: CLOUD_EVENT }],
    ['', { body: '{}', headers: CLOUD_EVENT }],
    ['', { body: '{}' }],
  ],
  'POST /v1/predict': [
    ['', { body: '{"encodings":[[1,2,3,4],{"int8":"AQIDBA=="}]}' }],
    ['', { body: '{"encodings":[[1]]}' }],
    ['', { body: '{"inputs":[{"text":"of a model that takes none"}]}' }],
  ],
  'PUT /v1/subscribers/:name': [
    ['one', { body: '{"version":1}' }],
    ['one', { body: '{"version":99}' }],
  ],
  'GET /v1/versions': [[''], ['?limit=1'], ['?limit=0']],
  'GET /v1/versions/:version': [['1'], ['99'], ['x']],
  'GET /v1/versions/:version/subscribers': [['2'], ['99']],
  'GET /v1/adapters/:adapter': [['1'], ['99']],
  'GET /v1/samples/:id': [['s1'], ['s7'], ['nobody'], ['%00']],
  'GET /v1/samples/:id/receipt': [['s1'], ['s7'], ['nobody']],
  'GET /v1/deletions': [[''], ['?limit=1'], ['?after=x']],
  'GET /v1/deletions/:id': [['r-s7'], ['r-never'], ['nothing']],
  'GET /v1/deletions/:id/certificate': [['r-s7'], ['r-never'], ['nothing']],
  'GET /v1/versions/:version/attestation': [['2'], ['99'], ['x']],
  'GET /tile/entries/*': [['000.p/40'], ['000'], ['x']],
  'GET /tile/*': [['0/000.p/40'], ['0/000'], ['x']],
  'GET /v1/log/proof/:index': [['0'], ['999999'], ['x']],
};

async function check(route: Route, argument: string, init: RequestInit = {}): Promise<number> {
  const path = /[:*]/.test(route.path)
    ? route.path.replace(/:\w+|\*$/, argument)
    : route.path + argument;
  const answer = await http.ask(path, 'all', { ...init, method: route.method });
  const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
  const where = `${route.method} ${path}: ${answer.status}`;
  if (type === 'application/problem+json') {
    const problem = problemDocument.parse(await answer.json());
    const automatic = ['invalid_request', 'internal_error'];
    const own = route.problems?.[answer.status]?.split(', ') ?? [];
    expect([...automatic, ...own], where).toContain(problem.code);
    return answer.status;
  }
  const described = route.answers[answer.status];
  expect(Object.keys(described?.content ?? {}), where).toContain(type);
  if (type === 'text/event-stream') await answer.body?.cancel();
  else if (type === 'application/json') {
    const result = described?.content?.[type]?.safeParse(await answer.json());
    expect(result?.error && z.prettifyError(result.error), where).toBeUndefined();
  } else await answer.arrayBuffer();
  for (const name of answer.headers.keys()) {
    if (['link', 'etag', 'content-disposition'].includes(name)) {
      expect(Object.keys(described?.headers ?? {}), where).toContain(name);
    }
  }
  return answer.status;
}

test.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s answers as it is described',
  async (name, route) => {
    const { weights } = (await http.json('/v1/versions/latest')) as {
      weights: { digest: string }[];
    };
    const digests: [string][] = [[weights[0]?.digest ?? ''], ['0'.repeat(64)]];
    const requests = name === 'GET /v1/weights/:digest' ? digests : (REQUESTS[name] ?? [['']]);
    const statuses = [];
    for (const [argument, init] of requests) statuses.push(await check(route, argument, init));
    const files = ['/v1/model/keys', '/v1/model/projection'];
    if (files.includes(route.path)) expect(statuses).toEqual([404]);
    else expect(statuses[0]).toBeLessThan(300);
  },
);

test('the document that is served is the one that is checked in', async () => {
  const file = readFileSync(join(import.meta.dirname, '../../schemas/openapi.json'), 'utf8');
  const served = await http.ask('/openapi.json', null);
  expect(await served.json()).toEqual(JSON.parse(file));
});

test('the page for people runs nothing: its policy allows its own style alone', async () => {
  const page = await http.ask('/docs', null);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; frame-ancestors 'none'$/,
  );
});
