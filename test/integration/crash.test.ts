import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EmbeddedLog } from '#src/log/embedded.js';
import { openDatabase } from '#src/store/database.js';
import { saveModel } from '#src/store/model.js';
import { expectCaughtUp, type Outcome } from '../support/caught-up.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventfulHistory, expectedOf, type History } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { points as allPoints, isShared } from '../support/points.js';
import { randomIntegers } from '../support/random.js';

const CHILD = fileURLToPath(new URL('../support/crash-child.mjs', import.meta.url));
// So many adapters that late events leave some of them alone: an early loss must not be mended later.
const model = tinyModel({ adapters: 24 });
const history = eventfulHistory(model);
const expected = expectedOf(model, history);

type Kill = { readonly point: string; readonly occurrence: number } | { readonly total: number };
type Ended = { readonly signal: NodeJS.Signals | null; readonly counts: Record<string, number> };

/** Those that one process alone passes; the others are in builders.test.ts. */
const points = allPoints.filter((point) => !isShared(point));

let template: TestDatabase;
let uninterrupted: Outcome;
/** How often each point is passed where nothing goes wrong. */
let passed: Record<string, number>;

/** A database with the model and a history in its log. */
async function createWith({ phases }: History): Promise<TestDatabase> {
  const created = await createTestDatabase();
  const database = openDatabase(created.url, 1);
  const log = new EmbeddedLog(database);
  await saveModel(database, model, {});
  for (const phase of phases) await log.append('legonet.sample-events', phase);
  await log.close();
  await database.close();
  return created;
}

beforeAll(async () => {
  template = await createWith(history);
  uninterrupted = await withCopy(async (url) => {
    passed = (await run(url, null)).counts;
    for (const point of points) expect(passed[point], point).toBeGreaterThanOrEqual(2);
    return expectCaughtUp(url, model, history, expected);
  });
});

afterAll(() => template?.drop());

/** A database with the model and the whole history in its log, nothing of it projected. */
async function withCopy<T>(work: (url: string) => Promise<T>): Promise<T> {
  const copy = await createTestDatabase({ template: new URL(template.url).pathname.slice(1) });
  try {
    return await work(copy.url);
  } finally {
    await copy.drop();
  }
}

function run(url: string, kill: Kill | null, together = false): Promise<Ended> {
  const fences = history.phases.map((_, i) => `${history.phases.slice(0, i).flat().length}`);
  const task = JSON.stringify({ url, kill, together, fences: [...fences.slice(1), null] });
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, task], (error, stdout, stderr) => {
      const signal = error?.signal ?? null;
      if (error && !signal) reject(new Error(`the child failed: ${stderr}`));
      else resolve({ signal, counts: signal ? {} : JSON.parse(stdout) });
    });
  });
}

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
        withCopy(async (url) => {
          expect((await run(url, { point, occurrence })).signal).toBe('SIGKILL');
          expect((await run(url, null)).signal).toBeNull();
          expect(await expectCaughtUp(url, model, history, expected)).toEqual(uninterrupted);
        }),
      ),
    );
  });

  test('erase.before, with nothing left to project', async () => {
    const phases = history.phases.slice(0, 2).map((phase) => phase.slice(0, 21));
    const [ingests = [], last = []] = phases;
    const short = { phases: [ingests, last.slice(-1)], requests: ['r-s5 s5'] };
    const { url, drop } = await createWith(short);
    try {
      expect((await run(url, { point: 'erase.before', occurrence: 1 })).signal).toBe('SIGKILL');
      await run(url, null);
      await expectCaughtUp(url, model, short, expectedOf(model, short));
    } finally {
      await drop();
    }
  });

  test.each([1, 2])('over and over, all roles at once (seed %i)', async (seed) => {
    const random = randomIntegers(seed);
    await withCopy(async (url) => {
      let kills = 0;
      while ((await run(url, { total: 1 + random(20) }, true)).signal === 'SIGKILL') kills++;
      expect(kills).toBeGreaterThan(0);
      expect(await expectCaughtUp(url, model, history, expected)).toEqual(uninterrupted);
    });
  });
});
