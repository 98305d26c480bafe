// What is measured, as tasks for worker.mjs.

/** n and k of the sweep; s of the shards, 1 being one head on all data. */
export const ADAPTERS = [100, 200, 300, 500, 1000];
export const ACTIVATED = [1, 2, 5, 10, 20];
export const SHARDS = [1, 10, 20, 50, 100];
/** The setting of the paper, and of the service's own benchmarks. */
export const MAIN = { adapters: 1000, activated: 10 };

/**
 * λ is relative to trace / d, which grows with the members of an adapter: 1,000 k / n of a million. So much for
 * each member is the same ridge for all, and what docs/benchmarks.md has for its settings.
 */
export const lambdaOf = ({ adapters, activated }) => adapters / (1000 * activated);

/** Of heads on shards: within 0.15 points of the best for every s, on a tenth of the training set held out. */
const SHARD_LAMBDA = 0.01;

/** Softmax layers: gradient descent, `steps` on all rows of a head or an adapter, or on batches of them. */
const descent = (steps, batch) => ({
  kind: 'softmax',
  steps,
  learningRate: 4,
  seed: 1,
  ...(batch && { batch }),
});
/** What is tried on FixSISA, to see how many steps reach its best accuracy. */
const TRIED = [
  ...[100, 200, 400, 800, 1600].map((steps) => descent(steps)),
  ...[100, 200, 400, 800, 1600].map((steps) => descent(steps, 256)),
];
/** What heads and adapters have where nothing else is said. */
const CHOSEN = descent(400);
const SOFTMAX_LEGONET = [100, 300, 1000].map((adapters) => ({ adapters, activated: 10 }));

const FULL = { trained: 50_000, tested: 8000, inferred: 5000, timed: 20 };
const QUICK = { trained: 4000, tested: 1000, inferred: 500, timed: 4 };

const withLambda = (setting) => ({ ...setting, lambda: lambdaOf(setting) });

/** `sizes` of the sample set; `tasks` that may run beside each other; `timed`, which need to be alone. */
export function plan(quick) {
  const sizes = quick ? QUICK : FULL;
  const adapters = quick ? [20, 50] : ADAPTERS;
  const activated = quick ? [1, 10] : ACTIVATED;
  const main = quick ? { adapters: 50, activated: 10 } : MAIN;
  const settings = adapters.flatMap((n) => activated.map((k) => ({ adapters: n, activated: k })));
  const sweeps = [...adapters].reverse().map((n) => ({
    name: 'legonet',
    settings: activated.map((k) => ({
      ...withLambda({ adapters: n, activated: k }),
      experiments: k === main.activated ? ['Random100', 'UnClass'] : ['Random100'],
    })),
  }));
  const shards = SHARDS.map((s) => ({ shards: s, lambda: SHARD_LAMBDA }));
  const both = ['Random100', 'UnClass'];
  const leastSquares = [
    ...sweeps,
    { name: 'inference', ...withLambda(main), deletions: sizes.inferred },
    ...shards.map((s) => ({ name: 'shards', ...s, experiments: both })),
  ];
  const heads = [
    ...SHARDS.map((s) => ({ shards: s, adapter: CHOSEN })),
    ...TRIED.map((adapter) => ({ shards: 10, adapter, convergence: true })),
  ];
  const softmax = [
    ...heads.map((head) => ({ name: 'softmaxShards', ...head, experiment: 'Random100' })),
    ...(quick ? [main] : SOFTMAX_LEGONET).map((setting) => ({
      name: 'softmaxLegonet',
      ...setting,
      adapter: CHOSEN,
      experiment: 'Random100',
    })),
  ];
  return {
    sizes,
    tasks: [...leastSquares, ...softmax],
    timed: [
      ...settings.map((s) => ({ name: 'deletions', ...withLambda(s), deletions: sizes.timed })),
      ...shards.map((s) => ({ name: 'shard', ...s, deletions: 5 })),
      ...heads.map(({ shards, adapter }) => ({
        name: 'softmaxShard',
        shards,
        adapter,
        deletions: 3,
      })),
    ],
  };
}
