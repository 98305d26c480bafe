import { describe, expect, test } from 'vitest';
import { decodeStatistics } from '#src/model/statistics.js';
import { transaction } from '#src/store/database.js';
import { heldRoles, joinBuilders } from '#src/store/lock.js';
import { dropProjections } from '#src/store/replay.js';
import { keepStatistics } from '#src/store/statistics.js';
import { type Act, type Builder, exists, killBuilders, until } from '../support/builders.js';
import { expectBuilt, projectDeletions } from '../support/built.js';
import { pick, syntheticRows, tinyModel } from '../support/models.js';
import { points } from '../support/points.js';
import { randomIntegers } from '../support/random.js';
import { builtBy, failures, helpedBy, sharedBuilds } from '../support/shared-builds.js';

// Enough adapters to be shared, and enough members that the statistics of some are kept.
const model = tinyModel({ adapters: 80, activated: 4 });
const COUNT = 500;
const rows = syntheticRows('builders', COUNT, model.shape.dimension, model.shape.classes);
const without = (gone: number) =>
  pick(
    rows,
    Array.from({ length: COUNT - gone }, (_, i) => gone + i),
    model.shape.dimension,
  );
const { url, database, file, touch, start, one, builders, versions, leftOver, ...shared } =
  sharedBuilds(model, rows);
const { startLeader, startHelpers, stop, built } = shared;

test('four processes build one version together, each its share, and the same model as one', async () => {
  const leader = await startLeader({ point: 'share.built', does: 'touch', file: file('own') });
  // Each waits with one adapter handed in until all have one.
  const helpers = await startHelpers(
    [1, 2, 3].map(() => [{ point: 'help.handed-in', does: 'wait', file: file('own') }]),
  );
  await until(
    async () => (await one('SELECT count(DISTINCT builder)::int FROM build_results')) === 3,
  );
  touch('go');
  await built();
  await stop(leader, ...helpers);
  await expectBuilt(url(), model, rows, 1);
  const [line] = builtBy(leader);
  const helped = helpers.map(helpedBy);
  for (const adapters of helped) expect(adapters).toBeGreaterThan(0);
  // What a helper had begun when the leader did it too is not counted twice.
  expect(line?.helped).toBeGreaterThanOrEqual(3);
  expect(line?.helped).toBeLessThanOrEqual(helped.reduce((sum, adapters) => sum + adapters, 0));
  expect(line?.helped).toBeLessThan(Number(line?.rebuilt));
  expect([leader, ...helpers].flatMap(failures)).toEqual([]);
});

test('helpers that die, wherever they are, have their share taken over', async () => {
  const leader = await startLeader();
  const ends = points.filter((point) => point.startsWith('help.'));
  expect(ends.length).toBeGreaterThanOrEqual(3);
  const helpers = await startHelpers(ends.map((point) => [{ point, does: 'kill' }]));
  for (const { ended } of helpers) expect(await ended).toBe('SIGKILL');
  expect(await one('SELECT count(*)::int FROM build_results')).toBeLessThan(80);
  touch('go');
  await built();
  await stop(leader);
  await expectBuilt(url(), model, rows, 1);
  expect(failures(leader)).toEqual([]);
});

test('a leader that dies, wherever it is, has a successor, until there is a version', async () => {
  const ends = [
    ...points.filter((point) => point.startsWith('share.')),
    'build.before-commit',
    'build.in-commit',
  ];
  expect(ends.length).toBeGreaterThanOrEqual(5);
  const locked = await pretendToBuild();
  // Whichever leads dies of its own; the others help until their turn comes.
  const doomed = ends.map((point) => start({ point, does: 'kill' }));
  for (const { ended } of doomed) expect(await ended).toBe('SIGKILL');
  expect(await versions()).toBe(0);
  await locked.release();
  const last = start();
  await built();
  await stop(last);
  await expectBuilt(url(), model, rows, 1);
  expect([...doomed, last].flatMap(failures)).toEqual([]);
});

test('a leader that dies with the version committed leaves nothing for long', async () => {
  const leader = await startLeader({ point: 'build.after-commit', does: 'kill' });
  const [helper] = (await startHelpers([[]])) as [Builder];
  touch('go');
  expect(await leader.ended).toBe('SIGKILL');
  await until(async () => (await leftOver()) === 0);
  await stop(helper);
  await expectBuilt(url(), model, rows, 1);
});

test('a helper that hangs does not hold the version up, and does no harm when it goes on', async () => {
  const leader = await startLeader();
  const [helper] = (await startHelpers([
    [
      { point: 'help.taken', does: 'touch', file: file('hangs') },
      { point: 'help.taken', does: 'hang' },
    ],
  ])) as [Builder];
  await exists(file('hangs'));
  touch('go');
  await built();
  helper.child.kill('SIGCONT');
  await until(async () => (await leftOver()) === 0);
  await stop(leader, helper);
  await expectBuilt(url(), model, rows, 1);
  expect([leader, helper].flatMap(failures)).toEqual([]);
});

test('a helper that is stopped gives back what it has not begun', async () => {
  const leader = await startLeader();
  const [helper] = (await startHelpers([
    [
      { point: 'help.handed-in', does: 'touch', file: file('begun') },
      { point: 'help.handed-in', does: 'wait', file: file('stopping') },
    ],
  ])) as [Builder];
  await exists(file('begun'));
  helper.child.kill('SIGTERM');
  touch('stopping');
  expect(await helper.ended).toBeNull();
  const results = await one<number>('SELECT count(*)::int FROM build_results');
  expect(results).toBe(helpedBy(helper));
  expect(results).toBeLessThan(80);
  const { rowCount } = await database().pool.query(
    'SELECT FROM build_tasks FOR UPDATE SKIP LOCKED',
  );
  expect(rowCount).toBe(80);
  touch('go');
  await built();
  await stop(leader);
  await expectBuilt(url(), model, rows, 1);
});

test('where every connection is cut, the build is made again', async () => {
  const leader = await startLeader();
  const [helper] = (await startHelpers([
    [{ point: 'help.handed-in', does: 'touch', file: file('begun') }],
  ])) as [Builder];
  await exists(file('begun'));
  await database().pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  touch('go');
  await built();
  await stop(leader, helper);
  await expectBuilt(url(), model, rows, 1);
});

test('killed at random, four processes build what one would, version after version', async () => {
  const random = randomIntegers(1);
  let kills = 0;
  for (const [i, gone] of [0, 100].entries()) {
    const deleted = Array.from({ length: gone === 0 ? 0 : 100 }, (_, j) => gone - 100 + j);
    if (gone > 0) await projectDeletions(url(), model, deleted);
    let done = false;
    // Nobody builds before all are there: one alone would be done with it, and none would be killed.
    const all = `all-${i}`;
    const together: Act = { point: 'build.cut-taken', does: 'wait', file: file(all) };
    // Each that dies has a successor.
    const place = async (first: number): Promise<void> => {
      for (let total = first; !done; total = 1 + random(150)) {
        const { ended } = start(together, { total, does: 'kill' });
        if ((await ended) === 'SIGKILL' && !done) kills += 1;
      }
    };
    const places = [3, 9, 27, 81].map(place);
    await until(async () => (await builders()) === places.length);
    touch(all);
    await until(async () => (await versions()) === i + 1);
    done = true;
    await killBuilders();
    await Promise.all(places);
    await expectBuilt(url(), model, without(gone), i + 1);
  }
  expect(kills).toBeGreaterThanOrEqual(3);
  const last = start();
  await until(async () => (await builders()) === 1 && (await leftOver()) === 0);
  await stop(last);
});

test('alone, or with little to build, a process shares nothing', async () => {
  const act: Act = { point: 'share.opened', does: 'kill' };
  const alone = start(act);
  await built();
  const another = start(act);
  await until(async () => (await builders()) === 2);
  await projectDeletions(url(), model, [0]);
  await until(async () => (await versions()) === 2);
  await stop(alone, another);
  await expectBuilt(url(), model, without(1), 2);
});

describe('whoever builds, if only to help', () => {
  test('has the build role, and keeps a replay off', async () => {
    const locked = await pretendToBuild();
    expect(await heldRoles(database().pool)).toEqual(['build']);
    await expect(dropProjections(database(), new Map([[0, 1n]]), false)).rejects.toMatchObject({
      code: 'busy',
    });
    await locked.release();
    expect(await heldRoles(database().pool)).toEqual([]);
    await dropProjections(database(), new Map([[0, 1n]]), false);
  });

  test('keeps no statistics from before a replay', async () => {
    const alone = start();
    await built();
    await stop(alone);
    const { rows: kept } = await database().pool.query(
      `SELECT adapter, s.count, through, sums, version FROM adapter_statistics s
       JOIN adapters USING (adapter) LIMIT 1`,
    );
    const [{ adapter, count, through, sums, version }] = kept;
    const { shape } = model;
    const keep = () =>
      transaction(database().pool, (client) =>
        keepStatistics(
          client,
          { adapter, builtIn: version, cut: through, generation: 0n },
          decodeStatistics(sums, count, shape),
        ),
      );
    const found = () => one('SELECT count(*)::int FROM adapter_statistics');
    await database().pool.query('DELETE FROM adapter_statistics');
    await keep();
    expect(await found()).toBe(1);
    await dropProjections(database(), new Map([[0, BigInt(COUNT)]]), false);
    await keep();
    expect(await found()).toBe(0);
  });
});

/** Counts as a process that builds, and does nothing. */
async function pretendToBuild() {
  const builder = await joinBuilders(url(), new AbortController().signal);
  if (!builder) throw new Error('builders are kept out');
  return builder;
}
