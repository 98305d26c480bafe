import { describe, expect, test } from 'vitest';
import { type Act, type Builder, exists, until } from '../support/builders.js';
import { expectBuilt, projectDeletions } from '../support/built.js';
import { otherKinds } from '../support/engines.js';
import { syntheticRows, tinyModel } from '../support/models.js';
import { points } from '../support/points.js';
import { failures, helpedBy, sharedBuilds } from '../support/shared-builds.js';

/* What other kinds of models add to a shared build: keys that are samples, an engine in each thread. */

const COUNT = 500;
/** In one go, so that there is enough to share. */
const DELETED = 30;
/** Adapters of the second version whose members have moved elsewhere, but to which nobody came and whom nobody left. */
const CARRIED = `SELECT count(*)::int FROM adapter_revisions r JOIN adapter_revisions o USING (adapter, weights_digest)
  WHERE r.version = 2 AND o.version = 1`;
const KINDS = await otherKinds();

describe.each(KINDS)('with %s', (_, changes, training) => {
  const model = tinyModel({ adapters: 160, activated: 4, ...changes });
  const { dimension, classes } = model.shape;
  const all = syntheticRows('kinds', COUNT, dimension, classes);
  const rowsFrom = (first: number) => ({
    encodings: all.encodings.slice(first * dimension),
    labels: Array.from(all.labels).slice(first),
    ids: Array.from({ length: COUNT - first }, (__, i) => `s${first + i}`),
  });
  const { url, one, file, touch, versions, ...shared } = sharedBuilds(model, rowsFrom(0));
  const { startLeader, startHelpers, stop } = shared;
  const built = (version: number) => until(async () => (await versions()) === version);
  const expectRight = (deleted: number, version: number) =>
    expectBuilt(url(), model, rowsFrom(deleted), version, training);

  test('a model that processes build together is the one that a single process builds, deletion after deletion', async () => {
    const again: Act[] = [
      { point: 'share.opened', occurrence: 2, does: 'touch', file: file('again') },
      { point: 'share.opened', occurrence: 2, does: 'wait', file: file('go-on') },
    ];
    const leader = await startLeader(...again);
    const helpers = await startHelpers([[], []]);
    const handedIn = () => one<number>('SELECT count(*)::int FROM build_results');
    await until(async () => (await handedIn()) > 0);
    touch('go');
    await built(1);
    await expectRight(0, 1);

    const gone = Array.from({ length: DELETED }, (__, i) => i);
    await projectDeletions(url(), model, gone);
    await exists(file('again'));
    await until(async () => (await handedIn()) > 0);
    touch('go-on');
    await built(2);
    await stop(leader, ...helpers);
    await expectRight(DELETED, 2);
    expect([leader, ...helpers].flatMap(failures)).toEqual([]);
    if (model.keys === null) expect(await one(CARRIED)).toBeGreaterThan(0);
    const helped = helpers.reduce((sum, helper) => sum + helpedBy(helper), 0);
    expect(helped).toBeGreaterThanOrEqual(2);
  });

  // The last kind has all that the others have.
  if (model.keys !== null || !training) return;
  test('helpers and a leader that die have their share taken over', async () => {
    const leader = await startLeader({ point: 'build.in-commit', does: 'kill' });
    const ends = points.filter((point) => point.startsWith('help.'));
    const helpers = await startHelpers(ends.map((point) => [{ point, does: 'kill' }]));
    for (const { ended } of helpers) expect(await ended).toBe('SIGKILL');
    touch('go');
    expect(await leader.ended).toBe('SIGKILL');
    expect(await versions()).toBe(0);
    const last: Builder = shared.start();
    await built(1);
    await stop(last);
    await expectRight(0, 1);
  });
});
