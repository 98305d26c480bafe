import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Remote } from '#src/client/http.js';
import { type Change, Keeper } from '#src/client/keeper.js';
import { LocalModel } from '#src/client/local-model.js';
import { plainKernel } from '#src/kernel/plain.js';
import { deletion, ingests, token } from '../support/http.js';
import { MODEL, openScene, PROBES, type Scene } from '../support/subscribers.js';

/** Versions of the history. The third retires those before it; those after it add samples only. */
const VERSIONS = 6;

describe('a keeper', () => {
  let scene: Scene;
  let events: Buffer[];

  beforeAll(async () => {
    scene = await openScene();
    for (let version = 1; version <= VERSIONS; version++) {
      await scene.append(version === 3 ? [deletion('v1-1')] : ingests(MODEL, `v${version}-`, 20));
      await scene.catchUp();
    }
    const { rows } = await scene.service.database.pool.query<{ value: Buffer }>(
      'SELECT value FROM outbox ORDER BY id',
    );
    events = rows.map(({ value }) => value);
  });
  afterAll(() => scene.close());

  function open() {
    const ending = new AbortController();
    const changes: Change[] = [];
    const troubles: unknown[] = [];
    const remote = new Remote({
      locate: async () => ({ url: scene.proxy.url, token: token('all') }),
      timeoutMs: 10_000,
      signal: ending.signal,
    });
    const local = new LocalModel(MODEL, plainKernel);
    let wake = () => {};
    const keeper = new Keeper({
      remote,
      local,
      whenRetired: 'stop',
      changed: (change) => {
        changes.push(change);
        wake();
      },
      trouble: (error) => troubles.push(error),
    });
    const running = keeper.run(ending.signal);
    const reaches = async (version: number) => {
      while (local.announcement?.version !== version) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const close = async () => {
      ending.abort();
      await running;
    };
    return { keeper, local, changes, troubles, reaches, close };
  }

  test('whatever comes late, twice, out of order or not at all, it ends with the newest version', async () => {
    const indexes = fc
      .tuple(fc.shuffledSubarray([...events.keys()]), fc.array(fc.nat(events.length - 1)))
      .map(([some, again]) => [...some, ...again]);
    const heard = fc.array(fc.tuple(indexes, fc.nat(20)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(heard, fc.boolean(), async (rounds, asks) => {
        const { keeper, local, changes, troubles, reaches, close } = open();
        for (const [round, pause] of rounds) {
          for (const index of round) keeper.hear(events[index] as Buffer);
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
        const last = rounds.flatMap(([round]) => round).includes(events.length - 1);
        if (asks || !last) keeper.missed();
        await reaches(VERSIONS);
        await new Promise((resolve) => setTimeout(resolve, 5));
        await close();
        expect(local.predict(PROBES).predictions).toEqual(await scene.expected());
        // What it was in between only ever got newer, and nothing of it is left.
        const adopted = changes.flatMap((one) => (one.kind === 'adopted' ? [one.version] : []));
        expect(adopted).toEqual([...new Set(adopted)].sort((x, y) => x - y));
        expect(adopted.some((version) => version < 3)).toBe(false);
        expect(local.held).toEqual(new Set(local.announcement?.weights));
        expect(troubles).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test('what is no event is reported, and does not end it', async () => {
    const { keeper, troubles, reaches, close } = open();
    const [first] = events;
    const told = JSON.parse(String(first));
    const garbage = [
      '',
      'null',
      '[]',
      '{"specversion":"1.0"}',
      String(first).slice(0, 100),
      JSON.stringify({ ...told, data: { ...told.data, weights: [] } }),
      JSON.stringify({ ...told, data: { ...told.data, version: -1 } }),
      JSON.stringify({ ...told, data: { ...told.data, configDigest: '0'.repeat(64) } }),
    ];
    for (const text of garbage) keeper.hear(Buffer.from(text));
    expect(troubles.map((error) => (error as { code: string }).code)).toEqual([
      ...Array(5).fill('invalid_answer'),
      'digest_mismatch',
      'invalid_answer',
      'model_changed',
    ]);
    // Of another model, or of another type: none of ours.
    keeper.hear(Buffer.from(JSON.stringify({ ...told, type: 'legonet.other.v1' })));
    keeper.hear(Buffer.from(JSON.stringify({ ...told, data: { ...told.data, model: 'another' } })));
    expect(troubles).toHaveLength(garbage.length);
    await reaches(VERSIONS);
    await close();
  });
});
