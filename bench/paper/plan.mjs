// What is measured, as tasks for worker.mjs.

/** n and k of the sweep. */
export const ADAPTERS = [100, 200, 300, 500, 1000];
export const ACTIVATED = [1, 2, 5, 10, 20];
/** The setting of the paper, and of the service's own benchmarks. */
export const MAIN = { adapters: 1000, activated: 10 };
/** Principal components that the encodings are projected to, for the comparison of speed. */
export const COMPONENTS = 256;

/** Softmax layers by gradient descent: so many steps on all rows of a head or an adapter, or on batches of them. */
const onAll = (steps) => ({ kind: 'softmax', steps, learningRate: 4, seed: 1 });
const onBatches = (steps) => ({ ...onAll(steps), batch: 256 });

const BOTH = ['Random100', 'UnClass'];

const FULL = {
  sizes: { trained: 50_000, tested: 8000 },
  /**
   * Samples deleted from under the attacker, and deletions that are timed: of a setting, of the main one, and of
   * softmax heads, on either engine.
   */
  inferred: 5000,
  timed: 3,
  timedMain: 20,
  timedNative: 10,
  timedWasm: 3,
  adapters: ADAPTERS,
  activated: ACTIVATED,
  main: MAIN,
  /** s of FixSISA; 1 is one head on all data. */
  shards: [1, 10, 20, 50, 100],
  softmaxHead: onAll(200),
  /** To see how many steps reach the best accuracy with s = 10. */
  tried: [...[25, 50, 100, 400].map(onAll), ...[50, 100, 200, 400, 800].map(onBatches)],
  softmaxAdapter: onAll(50),
  projected: { adapters: [100, 300, 1000], activated: [5, 10, 20] },
};

/** To see that everything runs. */
const QUICK = {
  sizes: { trained: 2000, tested: 500 },
  inferred: 200,
  timed: 2,
  timedMain: 2,
  timedNative: 2,
  timedWasm: 1,
  adapters: [10, 40],
  activated: [1, 5],
  main: { adapters: 40, activated: 5 },
  shards: [1, 10],
  softmaxHead: onAll(10),
  tried: [onAll(5), onBatches(20)],
  softmaxAdapter: onAll(5),
  projected: { adapters: [40], activated: [1, 5] },
};

/**
 * λ is relative to trace / d, which grows with an adapter's members, k / n of all samples: so much is the same ridge
 * for each member whatever n and k, and what docs/benchmarks.md has for its settings. `share`: of the 768
 * dimensions, which hold about the same trace.
 */
const withLambda = ({ adapters, activated }, share = 1) => ({
  adapters,
  activated,
  lambda: (share * adapters) / (1000 * activated),
});
/** Within 0.2 points of the best for every s, on a tenth of the training set held out. */
const SHARD_LAMBDA = 0.01;

/**
 * `sizes` of the sample set, and the tasks, phase by phase: what is timed runs alone, and TensorFlow's other engine in
 * threads of its own.
 */
export function plan(quick) {
  const p = quick ? QUICK : FULL;
  const settings = settingsOf(p);
  const heads = p.shards.map((shards) => ({ shards, lambda: SHARD_LAMBDA }));
  const softmax = softmaxTasks(p);
  // The costliest first, so that both threads end at about the same time.
  const measured = [
    ...softmax.adapters.measured,
    ...named('legonet', settings.map((ofN) => sweepOf(ofN, p.main)).reverse()),
    ...named('inference', [{ ...withLambda(p.main), deletions: p.inferred }]),
    ...named(
      'shards',
      heads.map((head) => ({ ...head, experiments: BOTH })),
    ),
    ...softmax.heads.measured,
  ];
  const timed = [
    ...named(
      'deletions',
      settings.flat().map((s) => ({ ...s, deletions: timesOf(s, p) })),
    ),
    ...named(
      'shard',
      heads.map((head) => ({ ...head, deletions: 5 })),
    ),
    ...softmax.adapters.timed,
    ...softmax.heads.timed,
  ];
  const projected = projectedTasks(p);
  const allTimed = [...timed, ...projected.timed];
  const isCompared = (task) =>
    (task.name === 'softmaxShard' && task.shards === 10) ||
    (task.name === 'softmaxDeletions' && isSame(task, p.main));
  const timedOnWasm = allTimed
    .filter(isCompared)
    .map((task) => ({ ...task, deletions: p.timedWasm, engine: 'wasm' }));
  return {
    sizes: p.sizes,
    projections: [COMPONENTS],
    phases: [
      { tasks: [...measured, ...projected.measured], threads: 2 },
      { tasks: allTimed, threads: 1 },
      { tasks: timedOnWasm, threads: 1 },
    ],
  };
}

const named = (name, tasks) => tasks.map((task) => ({ name, ...task }));

/**
 * LegoNet with softmax adapters, one task for each n and k and experiment: the cost of training is that of k, the
 * same for every n. And FixSISA with softmax heads.
 */
function softmaxTasks(p) {
  const settings = p.adapters
    .flatMap((adapters) => p.activated.map((activated) => ({ adapters, activated })))
    .sort((a, b) => b.activated - a.activated)
    .map((setting) => ({ ...setting, adapter: p.softmaxAdapter }));
  const heads = p.shards.map((shards) => ({ shards, adapter: p.softmaxHead }));
  const tried = p.tried.map((adapter) => ({ shards: 10, adapter }));
  const inEach = (experiments) => (task) =>
    experiments(task).map((experiment) => ({ ...task, experiment }));
  return {
    adapters: {
      measured: named('softmaxLegonet', settings.flatMap(inEach((s) => experimentsOf(s, p.main)))),
      timed: named(
        'softmaxDeletions',
        settings.map((s) => ({ ...s, deletions: timesOf(s, p) })),
      ),
    },
    heads: {
      measured: named('softmaxShards', [
        ...heads.flatMap(inEach(() => BOTH)),
        ...tried.map((head) => ({ ...head, convergence: true, experiment: 'Random100' })),
      ]),
      timed: named(
        'softmaxShard',
        [...heads, ...tried].map((head) => ({ ...head, deletions: p.timedNative })),
      ),
    },
  };
}

/** For each n, those of all k. */
const settingsOf = ({ adapters: all, activated: ks }, share) =>
  all.map((adapters) => ks.map((activated) => withLambda({ adapters, activated }, share)));

/** LegoNet and FixSISA with s = 10 softmax heads, both on projected encodings. */
function projectedTasks(p) {
  const onComponents = (task) => ({ ...task, components: COMPONENTS });
  const settings = settingsOf(p.projected, COMPONENTS / 768);
  const heads = [p.softmaxHead, ...p.tried].map((adapter) => ({ shards: 10, adapter }));
  return {
    measured: [
      ...named(
        'legonet',
        settings.map((ofN) => sweepOf(ofN, {})),
      ),
      ...named(
        'softmaxShards',
        heads.map((head) => ({ ...head, convergence: true, experiment: 'Random100' })),
      ),
    ].map(onComponents),
    timed: [
      ...named(
        'deletions',
        settings.flat().map((s) => ({ ...s, deletions: p.timedMain })),
      ),
      ...named(
        'softmaxShard',
        heads.map((head) => ({ ...head, deletions: p.timedNative })),
      ),
    ].map(onComponents),
  };
}

const isSame = (a, b) => a.adapters === b.adapters && a.activated === b.activated;

const timesOf = (setting, { main, timed, timedMain }) =>
  isSame(setting, main) ? timedMain : timed;

/** A class is unlearned with the main k alone. */
const experimentsOf = ({ activated }, main) =>
  activated === main.activated ? BOTH : ['Random100'];

/** All k of one n. */
const sweepOf = (settings, main) => ({
  settings: settings.map((setting) => ({
    ...setting,
    experiments: experimentsOf(setting, main),
  })),
});
