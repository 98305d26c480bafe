import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '#src/store/database.js';
import { expectCaughtUp, type Outcome } from '../support/caught-up.js';
import { createWith, run, withCopy } from '../support/crash.js';
import type { TestDatabase } from '../support/database.js';
import { eventfulHistory, expectedOf } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { points as allPoints, isPlacing } from '../support/points.js';
import { randomIntegers } from '../support/random.js';

const model = tinyModel({ adapters: 24, keys: { kind: 'anchors', seed: 'crash' } });
const history = eventfulHistory(model);
const expected = expectedOf(model, history);
/** Where samples are placed, and two of those where a build may end after that; the others are in crash.test.ts. */
const points = [...allPoints.filter(isPlacing), 'build.cut-taken', 'build.in-commit'];

let template: TestDatabase;
let uninterrupted: Outcome;
let passed: Record<string, number>;

beforeAll(async () => {
  template = await createWith(model, history);
  uninterrupted = await withCopy(template, async (url) => {
    passed = (await run(url, history, null)).counts;
    for (const point of points) expect(passed[point], point).toBeGreaterThanOrEqual(2);
    return expectEnded(url);
  });
});

afterAll(() => template?.drop());

async function expectEnded(url: string): Promise<Outcome> {
  const outcome = await expectCaughtUp(url, model, history, expected);
  const database = openDatabase(url, 1);
  try {
    const { rows } = await database.pool.query(
      `SELECT (SELECT count(*) FROM moves) AS moves,
              (SELECT count(*) FROM samples WHERE unplaced) AS unplaced,
              (SELECT count(*) FROM anchors a LEFT JOIN samples s
                 ON (s.sample_id, s.partition, s.position) = (a.sample_id, a.partition, a.position)
               WHERE s.sample_id IS NULL) AS stale`,
    );
    expect(rows).toEqual([{ moves: 0n, unplaced: 0n, stale: 0n }]);
  } finally {
    await database.close();
  }
  return outcome;
}

describe('where keys are samples, too, the next process ends where one never killed does', () => {
  test.each(points)('killed at %s', async (point) => {
    await Promise.all(
      [1, passed[point] ?? 0].map((occurrence) =>
        withCopy(template, async (url) => {
          expect((await run(url, history, { point, occurrence })).signal).toBe('SIGKILL');
          expect((await run(url, history, null)).signal).toBeNull();
          expect(await expectEnded(url)).toEqual(uninterrupted);
        }),
      ),
    );
  });

  test('killed over and over, all roles at once', async () => {
    const random = randomIntegers(3);
    await withCopy(template, async (url) => {
      let kills = 0;
      const kill = () => ({ total: 1 + random(20) });
      while ((await run(url, history, kill(), true)).signal === 'SIGKILL') kills++;
      expect(kills).toBeGreaterThan(0);
      expect(await expectEnded(url)).toEqual(uninterrupted);
    });
  });
});
