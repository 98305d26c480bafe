import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfiguration } from '#src/model/configuration.js';
import { modelDigest } from '#src/model/digest.js';
import { createModel, type Matrix, type Model } from '#src/model/model.js';
import { SCOPES, type Scope } from '#src/serve/tokens.js';
import { readDeletions, readSample, readVersions } from '#src/store/audit.js';
import { toJson } from '#src/store/json.js';
import { readErasures, readStatus } from '#src/store/status.js';
import { deletion, ingests, openTestHttp, type TestHttp, token, tokens } from '../support/http.js';
import { configurationJson, tinyModel } from '../support/models.js';

const model = tinyModel();
let http: TestHttp;
beforeAll(async () => {
  http = await openTestHttp(model);
  await http.append(ingests(model, 's', 40));
  await http.catchUp();
  await http.append([deletion('s7'), ...ingests(model, 'a/b?%ü ', 1)]);
  await http.catchUp();
  await http.append(ingests(model, 't', 10));
  await http.catchUp();
});
afterAll(() => http.close());

const pool = () => http.service.database.pool;
/** As the command line's --json has it. */
const printed = (value: unknown) => JSON.parse(toJson(value));

type Version = { version: number; modelDigest: string; weights: { digest: string }[] };

describe('versions', () => {
  test('are what the command line prints, oldest first', async () => {
    expect(await http.json('/v1/versions')).toEqual(printed(await readVersions(pool())));
  });

  test('come in pages, each with a link to the next, none left out or doubled', async () => {
    const seen: number[] = [];
    let path: string | undefined = '/v1/versions?limit=2';
    for (let pages = 0; path !== undefined; pages++) {
      expect(pages).toBeLessThan(3);
      const answer = await http.ask(path);
      const rows = (await answer.json()) as Version[];
      seen.push(...rows.map(({ version }) => version));
      path = /<(.*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  test('have the weights that their event announced, and these make the model digest', async () => {
    const { rows } = await pool().query<{ version: number; value: Buffer }>(
      `SELECT version, value FROM outbox WHERE kind = 'published' ORDER BY version`,
    );
    expect(rows).toHaveLength(3);
    for (const { version, value } of rows) {
      const { data } = JSON.parse(value.toString('utf8'));
      const one = (await http.json(`/v1/versions/${version}`)) as Version;
      expect(one.weights).toEqual(data.weights);
      const digests = one.weights.map(({ digest }) => digest);
      expect(modelDigest(model.digest, digests)).toBe(one.modelDigest);
    }
  });

  test('have a latest one, the newest that is published', async () => {
    expect(await http.json('/v1/versions/latest')).toMatchObject({ version: 3 });
    await pool().query('UPDATE versions SET published_at = NULL WHERE version = 3');
    expect(await http.json('/v1/versions/latest')).toMatchObject({ version: 2 });
    await pool().query('UPDATE versions SET published_at = now() WHERE version = 3');
  });

  test('are not there under other numbers', async () => {
    expect(await problem('/v1/versions/4')).toEqual([404, 'no_version']);
    for (const wrong of ['0', '-1', 'x', '1.5', '99999999999', '2147483648', '%00']) {
      expect(await problem(`/v1/versions/${wrong}`), wrong).toEqual([400, 'invalid_request']);
    }
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=-1', 'other=1']) {
      expect(await problem(`/v1/versions?${query}`), query).toEqual([400, 'invalid_request']);
    }
  });
});

describe('weights', () => {
  const digests = async (version: number) => {
    const { weights } = (await http.json(`/v1/versions/${version}`)) as Version;
    return weights.map(({ digest }) => digest);
  };

  test('of the version in service are the bytes of their digest, for the client to keep', async () => {
    for (const digest of new Set(await digests(3))) {
      const answer = await http.ask(`/v1/weights/${digest}`);
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
      expect(answer.headers.get('etag')).toBe(`"${digest}"`);
      expect(answer.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      const bytes = Buffer.from(await answer.arrayBuffer());
      const { rows } = await pool().query('SELECT bytes FROM weights WHERE digest = $1', [digest]);
      expect(bytes.equals(rows[0].bytes)).toBe(true);
      const again = await http.ask(`/v1/weights/${digest}`, 'predict', {
        headers: { 'if-none-match': `"${digest}"` },
      });
      expect([again.status, await again.text()]).toEqual([304, '']);
    }
  });

  test('of a retired version are gone, and said to be gone even to who has a copy', async () => {
    const old = (await digests(1)).filter((digest, j, all) => all.indexOf(digest) === j);
    const { rows } = await pool().query<{ digest: string }>('SELECT digest FROM weights');
    const kept = new Set(rows.map((row) => row.digest));
    const erased = old.filter((digest) => !kept.has(digest));
    expect(erased.length).toBeGreaterThan(0);
    for (const digest of erased) {
      expect(await problem(`/v1/weights/${digest}`)).toEqual([410, 'weights_erased']);
      const copy = await http.ask(`/v1/weights/${digest}`, 'all', {
        headers: { 'if-none-match': `"${digest}"` },
      });
      expect(copy.status).toBe(410);
      expect(copy.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('that never were are unknown', async () => {
    expect(await problem(`/v1/weights/${'0'.repeat(64)}`)).toEqual([404, 'unknown_weights']);
    expect(await problem('/v1/weights/xyz')).toEqual([400, 'invalid_request']);
  });
});

describe('the model', () => {
  test('can be made again from what is served, files included', async () => {
    const sha256 = '0'.repeat(64);
    const projection: Matrix = {
      rows: 2,
      columns: 5,
      values: Float64Array.from([0.1, -2, 3e-9, 4, 0.5, Math.PI, 6, 7, -8, -1]),
    };
    const keys: Matrix = {
      rows: 5,
      columns: 2,
      values: Int8Array.from([1, -1, 2, 3, 4, 5, 6, 7, 8, -127]),
    };
    const configuration = parseConfiguration(
      configurationJson({
        encoder: {
          kind: 'identity',
          dimension: 4,
          scale: 1,
          projection: { file: 'p.npy', sha256, offset: true },
        },
        keys: { kind: 'reference', file: 'k.npy', sha256 },
      }),
    );
    const original = createModel(configuration, { keys, projection });
    const other = await openTestHttp(original);
    try {
      const about = (await other.json('/v1/model')) as {
        configDigest: string;
        configuration: unknown;
        keys: { rows: number; columns: number; digest: string };
        projection: { rows: number; columns: number; digest: string };
      };
      const raw = async (name: 'keys' | 'projection') => {
        const bytes = await (await other.ask(`/v1/model/${name}`)).arrayBuffer();
        expect(createHash('sha256').update(new Uint8Array(bytes)).digest('hex')).toBe(
          about[name].digest,
        );
        return bytes;
      };
      const { rows, columns } = about.keys;
      const again: Model = createModel(parseConfiguration(about.configuration), {
        keys: { rows, columns, values: new Int8Array(await raw('keys')) },
        projection: { ...about.projection, values: new Float64Array(await raw('projection')) },
      });
      expect(again).toEqual(original);
      expect(about.configDigest).toBe(original.digest);
    } finally {
      await other.close();
    }
  });

  test('without files says so', async () => {
    expect(await http.json('/v1/model')).toMatchObject({
      name: 'tiny',
      configDigest: model.digest,
      keys: null,
      projection: null,
    });
    expect(await problem('/v1/model/keys')).toEqual([404, 'no_matrix']);
    expect(await problem('/v1/model/projection')).toEqual([404, 'no_matrix']);
  });
});

describe('what is stored of samples', () => {
  test.each(['s1', 's7', 'never', 'a/b?%ü 0'])(
    'is what the command line prints: %s',
    async (id) => {
      const report = printed(await readSample(pool(), id));
      expect(await http.json(`/v1/samples/${encodeURIComponent(id)}`)).toEqual(report);
    },
  );

  test('of adapters and requests too', async () => {
    const adapters = (await http.json('/v1/adapters')) as { adapter: number }[];
    expect(adapters.map(({ adapter }) => adapter)).toEqual([0, 1, 2, 3, 4]);
    expect(await http.json('/v1/adapters/3')).toEqual(adapters[3]);
    expect(await problem('/v1/adapters/5')).toEqual([404, 'no_adapter']);
    const requests = printed(await readDeletions(pool()));
    expect(requests).toMatchObject([{ requestId: 'r-s7', samples: ['s7'], version: 2 }]);
    expect(await http.json('/v1/deletions')).toEqual(requests);
    expect(await http.json('/v1/deletions/r-s7')).toEqual(requests);
    expect(await problem('/v1/deletions/r-s8')).toEqual([404, 'no_deletion']);
  });

  test('comes in pages of requests, none left out or doubled', async () => {
    await http.append(Array.from({ length: 7 }, (_, i) => deletion(`x${i}`, `r-${i % 3}`)));
    await http.catchUp();
    const all = (await http.json('/v1/deletions')) as { target: string }[];
    const seen: unknown[] = [];
    for (let path: string | undefined = '/v1/deletions?limit=3'; path !== undefined; ) {
      const answer = await http.ask(path);
      seen.push(...((await answer.json()) as unknown[]));
      path = /<(.*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect(all).toHaveLength(8);
    expect(seen).toEqual(all);
    expect(await problem('/v1/deletions?after=xyz')).toEqual([400, 'invalid_request']);
  });

  test('is summed up by the status', async () => {
    const status = printed({
      ...(await readStatus(pool())),
      ...(await readErasures(pool(), 86_400_000)),
      engine: null,
      lag: 0n,
    });
    expect(await http.json('/v1/status')).toEqual(status);
  });
});

describe('subscribers', () => {
  const adopt = (name: string, version: unknown) =>
    http.ask(`/v1/subscribers/${encodeURIComponent(name)}`, 'predict', {
      method: 'PUT',
      body: JSON.stringify({ version }),
    });

  test('are listed by who has come as far as a version, since when, and who has not', async () => {
    const first = (await (await adopt('one', 2)).json()) as { adoptedAt: string };
    expect(first).toMatchObject({ subscriber: 'one', version: 2 });
    expect(await (await adopt('one', 2)).json()).toEqual(first);
    await adopt('two/ü', 1);
    await adopt('three', 1);
    await adopt('three', 3);
    const names = async (version: number) => {
      const { adopted, behind } = (await http.json(
        `/v1/versions/${version}/subscribers`,
      )) as Record<string, { subscriber: string; version: number }[]>;
      return [adopted, behind].map((list) =>
        list?.map((one) => `${one.subscriber} ${one.version}`),
      );
    };
    expect(await names(1)).toEqual([['one 2', 'three 1', 'two/ü 1'], []]);
    expect(await names(2)).toEqual([['one 2', 'three 3'], ['two/ü 1']]);
    expect(await names(3)).toEqual([['three 3'], ['one 2', 'two/ü 1']]);
  });

  test('cannot take what is not published, or say anything else', async () => {
    expect((await adopt('one', 4)).status).toBe(404);
    for (const wrong of [0, -1, 1.5, '1', null, 2 ** 31]) {
      expect((await adopt('one', wrong)).status, String(wrong)).toBe(400);
    }
    expect((await adopt('x'.repeat(257), 1)).status).toBe(400);
    expect((await adopt('one', 'x'.repeat(5000))).status).toBe(413);
    const body = { method: 'PUT', body: '{' };
    expect((await http.ask('/v1/subscribers/one', 'all', body)).status).toBe(400);
    expect(await problem('/v1/versions/9/subscribers')).toEqual([404, 'no_version']);
  });
});

describe('a token', () => {
  const RIGHT: Readonly<Record<string, Scope>> = {
    '/v1/versions': 'predict',
    '/v1/versions/1': 'predict',
    '/v1/versions/latest': 'predict',
    '/v1/versions/stream': 'predict',
    [`/v1/weights/${'0'.repeat(64)}`]: 'predict',
    '/v1/model': 'predict',
    '/v1/model/keys': 'predict',
    '/v1/model/projection': 'predict',
    '/v1/samples/s1': 'audit',
    '/v1/adapters': 'audit',
    '/v1/adapters/1': 'audit',
    '/v1/deletions': 'audit',
    '/v1/deletions/r-s7': 'audit',
    '/v1/deletions/r-s7/certificate': 'audit',
    '/v1/versions/1/subscribers': 'audit',
    '/v1/status': 'audit',
  };

  test.each(Object.keys(RIGHT))('is needed, with the right scope, for %s', async (path) => {
    expect(await problem(path, null)).toEqual([401, 'no_token']);
    const unknown = await http.ask(path, null, { headers: { authorization: 'Bearer other' } });
    expect(unknown.status).toBe(401);
    expect(unknown.headers.get('www-authenticate')).toBe('Bearer');
    for (const scope of SCOPES) {
      const right = scope === 'admin' || scope === RIGHT[path];
      const answer = await http.ask(path, scope, { method: 'HEAD' });
      expect(answer.status === 403, `${path} with ${scope}`).toBe(!right);
    }
  });

  test('is needed to write', async () => {
    const put = { method: 'PUT', body: '{"version":1}' };
    const post = { method: 'POST', body: '[]', headers: { 'content-type': BATCH } };
    const status = async (path: string, init: RequestInit) =>
      Promise.all(
        [null, ...SCOPES].map(async (scope) => (await http.ask(path, scope, init)).status),
      );
    // Without one, and with ingest, delete, audit, predict, admin.
    expect(await status('/v1/subscribers/one', put)).toEqual([401, 403, 403, 403, 200, 200]);
    expect(await status('/v1/events', post)).toEqual([401, 202, 202, 403, 403, 202]);
    expect(await status('/v1/predict', { method: 'POST', body: '{}' })).toEqual([
      401, 403, 403, 403, 400, 400,
    ]);
  });

  test('is needed for metrics beyond this machine alone', async () => {
    expect((await http.ask('/metrics', null)).status).toBe(200);
    const remote = await openTestHttp(model, {
      access: { tokens, openMetrics: false, localToken: null },
    });
    try {
      expect((await remote.ask('/metrics', null)).status).toBe(401);
      expect((await remote.ask('/metrics', 'predict')).status).toBe(403);
      expect((await remote.ask('/metrics', 'audit')).status).toBe(200);
      expect((await remote.ask('/metrics', 'admin')).status).toBe(200);
      expect((await remote.ask('/healthz', null)).status).toBe(200);
    } finally {
      await remote.close();
    }
  });
});

const BATCH = 'application/cloudevents-batch+json';

describe('every answer', () => {
  test.each(['/healthz', '/nothing', '/v1/versions'])(
    'to %s has the headers that keep it from being misused',
    async (path) => {
      const { headers } = await http.ask(path, null, {
        headers: { origin: 'https://example.org' },
      });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; frame-ancestors 'none'",
      );
      expect(headers.get('cache-control')).toBe('no-store');
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );

  test('that is a problem is a document of RFC 9457 with our code', async () => {
    const answer = await http.ask('/nothing');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toEqual({
      type: 'urn:legonet:problem:no_route',
      title: 'Not Found',
      status: 404,
      detail: 'nothing is at this path',
      code: 'no_route',
    });
    const wrong = await http.ask('/v1/versions', 'all', { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('tells nothing of a failure inside, which the log has', async () => {
    const logged: unknown[] = [];
    const { logger } = http.service;
    const broken = await openTestHttp(model, {
      logger: Object.assign(Object.create(logger), {
        error: (entry: unknown) => logged.push(entry),
      }),
      readiness: () => Promise.reject(new Error('secret')),
    });
    try {
      const answer = await broken.ask('/readyz', null);
      expect(answer.status).toBe(500);
      expect(await answer.text()).not.toContain('secret');
      expect(logged).toMatchObject([{ route: '/readyz', err: { message: 'secret' } }]);
    } finally {
      await broken.close();
    }
  });

  test('comes though a request before it was no HTTP', async () => {
    const { port } = new URL(http.server.url);
    const status = await new Promise((resolve) => {
      const headers = { host: 'a b', authorization: `Bearer ${token('all')}` };
      request({ port, host: '127.0.0.1', path: '/healthz', headers }, ({ statusCode }) =>
        resolve(statusCode),
      ).end();
    });
    expect(status).toBe(400);
    expect((await http.ask('/healthz')).status).toBe(200);
  });
});

async function problem(path: string, scope: 'all' | null = 'all'): Promise<[number, string]> {
  const answer = await http.ask(path, scope);
  const { status, code } = (await answer.json()) as { status: number; code: string };
  expect(status).toBe(answer.status);
  return [status, code];
}
