import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Subscriber } from '#src/index.js';
import { readVersions } from '#src/store/audit.js';
import { token } from '../support/http.js';
import {
  ACTIVATED,
  ADAPTERS,
  adopts,
  openScene,
  PROBES,
  type Scene,
  until,
} from '../support/subscribers.js';

describe('a subscriber', () => {
  let scene: Scene;

  beforeEach(async () => {
    scene = await openScene();
  });
  afterEach(() => scene.close());

  const weightsAsked = (): string[] =>
    scene.proxy.paths.filter((path) => path.startsWith('/v1/weights/'));

  const rebuiltIn = async (version: number) => {
    const [row] = await readVersions(scene.service.database.pool, version);
    return row?.rebuilt.length;
  };

  /** Tries until it does not throw. */
  async function eventually<T>(look: () => Promise<T> | T): Promise<T> {
    for (;;) {
      try {
        return await look();
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  test('after a deletion it predicts by the version without the sample, of which it fetched the rebuilt adapters alone', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe();
    expect(subscriber.version).toBe(1);
    const before = subscriber.predict(PROBES);
    expect(before).toMatchObject({ version: 1, modelDigest: subscriber.modelDigest });
    expect(before.predictions).toEqual(await scene.expected());
    expect(weightsAsked().length).toBeLessThanOrEqual(ADAPTERS);

    scene.proxy.paths.length = 0;
    const updates = subscriber.updates();
    await scene.deleteSample('s7');
    const seen = await until(updates, adopts(2));
    expect(await rebuiltIn(2)).toBe(ACTIVATED);
    expect(weightsAsked()).toHaveLength(ACTIVATED);
    expect(seen.at(-1)).toMatchObject({ fetched: ACTIVATED });
    const after = subscriber.predict(PROBES);
    expect(after.version).toBe(2);
    expect(after.predictions).toEqual(await scene.expected());
    expect(after.predictions).not.toEqual(before.predictions);
    expect(subscriber).toMatchObject({ latest: 2, behind: false, retired: false });

    await eventually(async () => {
      const { adopted } = await scene.json('/v1/versions/2/subscribers');
      expect(adopted).toMatchObject([{ subscriber: 'test', version: 2 }]);
    });
    expect(scene.troubles).toEqual([]);
  });

  /** Keeps every answer with weights back until it is called. */
  function holdWeights(): () => void {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    scene.proxy.meddle = async (path, answer) => {
      if (path.startsWith('/v1/weights/')) await held;
      return answer;
    };
    return () => release();
  }

  test('a retired version predicts no more from the moment that this is heard', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe();
    const updates = subscriber.updates();
    const release = holdWeights();
    await scene.deleteSample('s7');
    const seen = await until(updates, ({ kind }) => kind === 'retired');
    expect(seen).toContainEqual({ kind: 'behind', version: 1, latest: 2 });
    expect(seen.at(-1)).toEqual({ kind: 'retired', version: 1, because: 2 });
    expect(() => subscriber.predict(PROBES)).toThrow(
      expect.objectContaining({ code: 'version_retired', retry: 'retryable' }),
    );
    expect(subscriber).toMatchObject({ version: 1, latest: 2, behind: true, retired: true });
    release();
    await until(updates, adopts(2));
    expect(subscriber.predict(PROBES).predictions).toEqual(await scene.expected());
  });

  test('it goes on with a retired version until the next is loaded only if it is told to', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe({ whenRetired: 'continue' });
    const before = subscriber.predict(PROBES);
    const updates = subscriber.updates();
    const release = holdWeights();
    await scene.deleteSample('s7');
    await until(updates, ({ kind }) => kind === 'retired');
    expect(subscriber.predict(PROBES)).toEqual(before);
    release();
    await until(updates, adopts(2));
    expect(subscriber.predict(PROBES).version).toBe(2);
  });

  test('nothing whose digest is wrong gets in, and it is fetched again', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe({ whenRetired: 'continue' });
    const before = subscriber.predict(PROBES);
    const updates = subscriber.updates();
    let lies = 0;
    scene.proxy.meddle = (path, answer) => {
      if (!path.startsWith('/v1/weights/') || lies === 10) return answer;
      lies++;
      // A single bit, bytes too few, nothing at all, another adapter's.
      const damaged = Buffer.from(answer);
      damaged[lies] = (damaged[lies] ?? 0) ^ 1;
      return [damaged, answer.subarray(1), Buffer.alloc(0), null][lies % 4] ?? null;
    };
    await scene.deleteSample('s7');
    while (lies < 10) {
      expect(subscriber.predict(PROBES)).toEqual(before);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(updates, adopts(2));
    expect(subscriber.predict(PROBES).predictions).toEqual(await scene.expected());
    const codes = new Set(scene.troubles.map((error) => (error as { code: string }).code));
    expect(codes).toContain('digest_mismatch');
    expect([...codes].every((code) => /^(digest_mismatch|server_unreachable)$/.test(code))).toBe(
      true,
    );
  });

  test('an announcement whose digests do not fit together is not believed', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe();
    const updates = subscriber.updates();
    const wrong = 'f'.repeat(64);
    let asked = 0;
    const forge = (text: string) => text.replace(/("digest": ?")[0-9a-f]{64}/, `$1${wrong}`);
    scene.proxy.meddleStream = (part) => Buffer.from(forge(part.toString('utf8')));
    scene.proxy.meddle = (path, answer) => {
      if (path !== '/v1/versions/latest' || ++asked > 3) return answer;
      return Buffer.from(forge(answer.toString('utf8')));
    };
    await scene.deleteSample('s7');
    await until(updates, adopts(2));
    expect(asked).toBeGreaterThan(3);
    expect(weightsAsked()).not.toContain(`/v1/weights/${wrong}`);
    expect(scene.troubles).toContainEqual(expect.objectContaining({ code: 'digest_mismatch' }));
    expect(subscriber.predict(PROBES).predictions).toEqual(await scene.expected());
  });

  test('a wrong model, keys or version keeps it from opening', async () => {
    await scene.ingest('s', 10);
    for (const [path, from, to] of [
      ['/v1/model', '"scale":1', '"scale":2'],
      ['/v1/versions/latest', '"modelDigest":"', '"modelDigest":"0'],
      ['/v1/versions/latest', '"version":1', '"version":"1"'],
      ['/v1/model', '{', '['],
    ] as const) {
      scene.proxy.meddle = (asked, answer) =>
        asked === path ? Buffer.from(answer.toString('utf8').replace(from, to)) : answer;
      await expect(scene.subscribe()).rejects.toMatchObject({
        code: expect.stringMatching(/^(digest_mismatch|invalid_answer)$/),
      });
    }
  });

  test('over restarts of the server and what it missed it goes to the latest version at once', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe({ timeoutMs: 5000 });
    const updates = subscriber.updates();
    for (let round = 0; round < 3; round++) {
      await eventually(() => expect(subscriber.connected).toBe(true));
      const { upstream } = scene.proxy;
      scene.proxy.upstream = null;
      scene.proxy.cut();
      await until(updates, ({ kind }) => kind === 'disconnected');
      expect(subscriber.connected).toBe(false);
      for (const i of [0, 1, 2]) await scene.deleteSample(`s${3 * round + i}`);
      scene.proxy.upstream = upstream;
      const latest = 1 + 3 * (round + 1);
      const seen = await until(updates, adopts(latest));
      expect(seen.filter(({ kind }) => kind === 'adopted')).toHaveLength(1);
      expect(subscriber.predict(PROBES).predictions).toEqual(await scene.expected());
    }
  });

  test('a retirement that it missed stops the version before the next is there', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe();
    const updates = subscriber.updates();
    await until(updates, ({ kind }) => kind === 'connected');
    const { upstream } = scene.proxy;
    scene.proxy.upstream = null;
    scene.proxy.cut();
    await until(updates, ({ kind }) => kind === 'disconnected');
    await scene.deleteSample('s7');
    // The stream tells nothing, and the weights do not come.
    scene.proxy.meddleStream = () => Buffer.from(':\n');
    scene.proxy.meddle = (path, answer) => (path.startsWith('/v1/weights/') ? null : answer);
    scene.proxy.upstream = upstream;
    await until(updates, ({ kind }) => kind === 'retired');
    expect(() => subscriber.predict(PROBES)).toThrow(/retired/);
  });

  test('a stream on which nothing comes is given up for another', async () => {
    await scene.ingest('s', 60);
    const subscriber = await scene.subscribe({ silenceMs: 100 });
    const updates = subscriber.updates();
    scene.proxy.meddleStream = () => Buffer.alloc(0);
    for (let i = 0; i < 2; i++) await until(updates, ({ kind }) => kind === 'disconnected');
    await scene.deleteSample('s7');
    await until(updates, adopts(2));
  });

  test('it may come before the first version', async () => {
    const subscriber = await scene.subscribe();
    const updates = subscriber.updates();
    expect(subscriber).toMatchObject({ version: null, latest: null, behind: false });
    expect(() => subscriber.predict(PROBES)).toThrow(
      expect.objectContaining({ code: 'no_version' }),
    );
    await scene.ingest('s', 60);
    await until(updates, adopts(1));
    expect(subscriber.predict(PROBES).predictions).toEqual(await scene.expected());
    expect(subscriber.predict([])).toMatchObject({ predictions: [] });
    // Numbers are quantised as samples are; the scale is 1.
    expect(
      subscriber.predict(PROBES.map((probe) => [...probe].map((x) => Math.max(x, -127)))),
    ).toEqual(subscriber.predict(PROBES.map((probe) => probe.map((x) => Math.max(x, -127)))));
  });

  test('adapters without members give no label, as on the server', async () => {
    await scene.ingest('s', 1);
    const subscriber = await scene.subscribe();
    const { predictions } = subscriber.predict(PROBES);
    expect(predictions).toEqual(await scene.expected());
    expect(predictions.some(({ label }) => label === null)).toBe(true);
  });

  test('its adoption is told until the server has heard it', async () => {
    await scene.ingest('s', 60);
    let refused = 0;
    scene.proxy.meddle = (path, answer) =>
      path.startsWith('/v1/subscribers/') && refused++ < 3 ? null : answer;
    // One whose adoptions are refused predicts all the same, and says so once.
    scene.proxy.meddleStatus = (path, status) => (path === '/v1/subscribers/reader' ? 403 : status);
    const reader = await scene.subscribe({ name: 'reader' });
    expect(reader.predict(PROBES).version).toBe(1);
    await scene.subscribe({ name: 'a name/with "signs"' });
    await eventually(async () => {
      const { adopted } = await scene.json('/v1/versions/1/subscribers');
      const names = (adopted as { subscriber: string }[]).map(({ subscriber }) => subscriber);
      expect(names).toContain('a name/with "signs"');
    });
    await eventually(() => {
      expect(scene.troubles).toContainEqual(expect.objectContaining({ code: 'server_refused' }));
    });
  });

  test('what keeps it from opening is said', async () => {
    await expect(scene.subscribe({ token: 'wrong' })).rejects.toMatchObject({
      code: 'server_refused',
    });
    await expect(scene.subscribe({ token: token('ingest') })).rejects.toMatchObject({
      code: 'server_refused',
    });
    await expect(scene.subscribe({ url: 'nowhere' })).rejects.toThrow('url: expected');
    await expect(scene.subscribe({ name: '' })).rejects.toThrow('name: expected');
    await expect(scene.subscribe({ url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'server_unreachable',
      retry: 'retryable',
    });
    await expect(Subscriber.open({ name: 'a', dataDir: '/nowhere' })).rejects.toMatchObject({
      code: 'server_not_running',
    });
  });

  test('neither its deadlines nor its end are lost to the garbage collector', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let collecting: NodeJS.Timeout | undefined;
    try {
      await scene.ingest('s', 60);
      const subscriber = await scene.subscribe({ timeoutMs: 3000, silenceMs: 3000 });
      const updates = subscriber.updates();
      collecting = setInterval(collect, 100);
      let asked = 0;
      const never = new Promise<null>(() => {});
      scene.proxy.meddle = (path, answer) =>
        path.startsWith('/v1/weights/') && asked++ < ACTIVATED ? never : answer;
      await scene.deleteSample('s7');
      await until(updates, adopts(2));
      expect(asked).toBeGreaterThan(ACTIVATED);
      for (let i = 0; i < 2; i++) await until(updates, ({ kind }) => kind === 'disconnected');
      await until(updates, ({ kind }) => kind === 'connected');
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        collect();
      }
      await subscriber.close();
    } finally {
      clearInterval(collecting);
    }
  });

  test('closed, it predicts no more and its updates end', async () => {
    await scene.ingest('s', 20);
    const subscriber = await scene.subscribe();
    const updates = subscriber.updates();
    const reading = (async () => {
      for await (const _ of updates);
    })();
    await subscriber.close();
    await reading;
    expect(() => subscriber.predict(PROBES)).toThrow(
      expect.objectContaining({ code: 'subscriber_closed' }),
    );
    expect(scene.server.streams()).toBeLessThanOrEqual(1);
  });
});
