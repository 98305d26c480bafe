// What is measured, as tasks for worker.mjs.

/** n and k of the sweep. */
export const ADAPTERS = [100, 200, 300, 500, 1000];
export const ACTIVATED = [1, 2, 5, 10, 20];
/** The setting of the paper, and of the service's own benchmarks. */
export const MAIN = { adapters: 1000, activated: 10 };

/**
 * Softmax layers by gradient descent: `steps` on batches of 256 rows, or on all rows of a head or an adapter. On
 * 5,000 rows either comes as far with as many steps; the seed decides the start and the batches.
 */
const onBatches = (steps) => ({ kind: 'softmax', steps, learningRate: 4, seed: 1, batch: 256 });
const onAll = (steps) => ({ kind: 'softmax', steps, learningRate: 4, seed: 1 });

const FULL = {
  sizes: { trained: 50_000, tested: 8000 },
  /** Samples deleted from under the attacker, and deletions that are timed: of a setting, and of the main one. */
  inferred: 5000,
  timed: 3,
  timedMain: 20,
  adapters: ADAPTERS,
  activated: ACTIVATED,
  main: MAIN,
  /** s of FixSISA; 1 is one head on all data. */
  shards: [1, 10, 20, 50, 100],
  softmaxShards: [1, 10, 100],
  softmaxHead: onBatches(800),
  /** To see how many steps reach the best accuracy with s = 10. */
  tried: [...[100, 400].map(onAll), ...[200, 400, 1600].map(onBatches)],
  softmaxAdapter: onAll(100),
  softmaxLegonet: [MAIN],
};

/** To see that everything runs. */
const QUICK = {
  sizes: { trained: 2000, tested: 500 },
  inferred: 200,
  timed: 2,
  timedMain: 2,
  adapters: [10, 40],
  activated: [1, 5],
  main: { adapters: 40, activated: 5 },
  shards: [1, 10],
  softmaxShards: [10],
  softmaxHead: onBatches(20),
  tried: [onAll(20), onBatches(40)],
  softmaxAdapter: onAll(20),
  softmaxLegonet: [{ adapters: 40, activated: 5 }],
};

/**
 * λ is relative to trace / d, which grows with an adapter's members, k / n of all samples: so much is the same ridge
 * for each member whatever n and k, and what docs/benchmarks.md has for its settings.
 */
const withLambda = ({ adapters, activated }) => ({
  adapters,
  activated,
  lambda: adapters / (1000 * activated),
});
/** Within 0.2 points of the best for every s, on a tenth of the training set held out. */
const SHARD_LAMBDA = 0.01;

/** `sizes` of the sample set; `tasks` that may run beside each other; `timed`, which need to be alone. */
export function plan(quick) {
  const p = quick ? QUICK : FULL;
  const random100 = { experiment: 'Random100' };
  const both = { experiments: ['Random100', 'UnClass'] };
  const settings = p.adapters.map((adapters) =>
    p.activated.map((activated) => withLambda({ adapters, activated })),
  );
  const heads = p.shards.map((shards) => ({ shards, lambda: SHARD_LAMBDA }));
  const softmaxHeads = [
    ...p.softmaxShards.map((shards) => ({ shards, adapter: p.softmaxHead })),
    ...p.tried.map((adapter) => ({ shards: 10, adapter, convergence: true })),
  ];
  const named = (name, tasks) => tasks.map((task) => ({ name, ...task }));
  return {
    sizes: p.sizes,
    tasks: [
      ...named('legonet', settings.map((ofN) => sweepOf(ofN, p.main)).reverse()),
      ...named('inference', [{ ...withLambda(p.main), deletions: p.inferred }]),
      ...named(
        'shards',
        heads.map((head) => ({ ...head, ...both })),
      ),
      ...named(
        'softmaxShards',
        softmaxHeads.map((head) => ({ ...head, ...random100 })),
      ),
      ...named(
        'softmaxLegonet',
        p.softmaxLegonet.map((s) => ({ ...s, adapter: p.softmaxAdapter, ...random100 })),
      ),
    ],
    timed: [
      ...named(
        'deletions',
        settings
          .flat()
          .map((s) => ({ ...s, deletions: isSame(s, p.main) ? p.timedMain : p.timed })),
      ),
      ...named(
        'shard',
        heads.map((head) => ({ ...head, deletions: 5 })),
      ),
      ...named(
        'softmaxShard',
        softmaxHeads.map(({ shards, adapter }) => ({ shards, adapter, deletions: 3 })),
      ),
    ],
  };
}

const isSame = (a, b) => a.adapters === b.adapters && a.activated === b.activated;

/** All k of one n; a class is unlearned with the main one. */
const sweepOf = (settings, main) => ({
  settings: settings.map((setting) => ({
    ...setting,
    experiments: setting.activated === main.activated ? ['Random100', 'UnClass'] : ['Random100'],
  })),
});
