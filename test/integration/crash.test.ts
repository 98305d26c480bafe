import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectCaughtUp, type Outcome } from '../support/caught-up.js';
import { createWith, run, withCopy } from '../support/crash.js';
import type { TestDatabase } from '../support/database.js';
import { eventfulHistory, expectedOf } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { points as allPoints, isPlacing, isShared } from '../support/points.js';
import { randomIntegers } from '../support/random.js';

// So many adapters that late events leave some of them alone: an early loss must not be mended later.
const model = tinyModel({ adapters: 24 });
const history = eventfulHistory(model);
const expected = expectedOf(model, history);

/** Those that one process alone passes; the others are in builders.test.ts and crash-anchors.test.ts. */
const points = allPoints.filter((point) => !isShared(point) && !isPlacing(point));

let template: TestDatabase;
let uninterrupted: Outcome;
/** How often each point is passed where nothing goes wrong. */
let passed: Record<string, number>;

beforeAll(async () => {
  template = await createWith(model, history);
  uninterrupted = await withCopy(template, async (url) => {
    passed = (await run(url, history, null)).counts;
    for (const point of points) expect(passed[point], point).toBeGreaterThanOrEqual(2);
    return expectCaughtUp(url, model, history, expected);
  });
});

afterAll(() => template?.drop());

test('the history has something of everything that can happen', () => {
  expect(points.length).toBeGreaterThanOrEqual(14);
  expect(expected.retained.size).toBeGreaterThan(50);
  expect(expected.gone.length).toBeGreaterThanOrEqual(8);
});

describe('killed at any point, the next process ends where one that was never killed does', () => {
  test.each(points)('%s', async (point) => {
    // The first time, when there is no version yet, and a later one. How often a build is made and
    // published is certain, and after the last nothing comes that would mend what it left.
    const later = /^(build|publish)\./.test(point) ? (passed[point] ?? 0) : 2;
    await Promise.all(
      [1, later].map((occurrence) =>
        withCopy(template, async (url) => {
          expect((await run(url, history, { point, occurrence })).signal).toBe('SIGKILL');
          expect((await run(url, history, null)).signal).toBeNull();
          expect(await expectCaughtUp(url, model, history, expected)).toEqual(uninterrupted);
        }),
      ),
    );
  });

  test('erase.before, with nothing left to project', async () => {
    const phases = history.phases.slice(0, 2).map((phase) => phase.slice(0, 21));
    const [ingests = [], last = []] = phases;
    const short = { phases: [ingests, last.slice(-1)], requests: ['r-s5 s5'] };
    const { url, drop } = await createWith(model, short);
    try {
      expect((await run(url, history, { point: 'erase.before', occurrence: 1 })).signal).toBe(
        'SIGKILL',
      );
      await run(url, history, null);
      await expectCaughtUp(url, model, short, expectedOf(model, short));
    } finally {
      await drop();
    }
  });

  test.each([1, 2])('over and over, all roles at once (seed %i)', async (seed) => {
    const random = randomIntegers(seed);
    await withCopy(template, async (url) => {
      let kills = 0;
      while ((await run(url, history, { total: 1 + random(20) }, true)).signal === 'SIGKILL')
        kills++;
      expect(kills).toBeGreaterThan(0);
      expect(await expectCaughtUp(url, model, history, expected)).toEqual(uninterrupted);
    });
  });
});
