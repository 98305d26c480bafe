// LegoNet over k for one n. A sample's k nearest adapters are a prefix of its 2k nearest, so that an adapter's
// members for one k are those for the k before and some more: their sums are added up once for all.
import { activate } from '#src/model/activation.js';
import { accumulate, emptyStatistics } from '#src/model/statistics.js';
import { accuracy, fitWithout, score } from './forget.mjs';
import { experiment, modelOf, take } from './samples.mjs';

/** `settings` of one n in order of k, each with the names of its `experiments`. */
export function sweep(kernel, samples, { settings }) {
  const names = new Set(settings.flatMap(({ experiments }) => experiments));
  const known = Object.fromEntries([...names].map((name) => [name, experiment(name, samples)]));
  const runs = settings.flatMap((setting, step) =>
    setting.experiments.map((name) => ({ step, name, weights: [] })),
  );
  const models = settings.map((setting) => modelOf(samples, setting));
  const ranks = rowsByRank(kernel, models.at(-1), samples.train);
  const sizes = settings.map(() => []);
  for (const rows of ranks) {
    settings.forEach(({ activated }, step) => {
      sizes[step].push(rows.slice(0, activated).flat().length);
    });
    eachStep(kernel, samples, models, rows, ({ step, members, statistics }) => {
      for (const run of runs.filter((run) => run.step === step)) {
        const { deleted } = known[run.name];
        const model = models[step];
        run.weights.push(fitWithout(kernel, model, samples.train, members, statistics, deleted));
      }
    });
  }
  return runs.map(({ step, name, weights }) => {
    const { adapters, activated, lambda } = settings[step];
    const sorted = sizes[step].sort((a, b) => a - b);
    const members = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
    const on = (rows) => accuracy(kernel, models[step], weights, rows);
    const accuracies = score(known[name].scored, on);
    return { adapters, activated, lambda, experiment: name, members, ...accuracies };
  });
}

/** Row numbers [adapter][rank]: those whose rank-th nearest key is the adapter's. */
function rowsByRank(kernel, { keys, configuration }, { encodings, labels }) {
  const { adapters, activated } = configuration;
  const ranks = Array.from({ length: adapters }, () => Array.from({ length: activated }, () => []));
  activate(kernel, keys, encodings, labels.length, activated).forEach((adapter, i) => {
    ranks[adapter][i % activated].push(Math.floor(i / activated));
  });
  return ranks;
}

/** Calls `use` for each k in turn with the adapter's members and their statistics. */
function eachStep(kernel, { train }, models, ranks, use) {
  const { shape } = models[0];
  let statistics = emptyStatistics(shape);
  let done = 0;
  models.forEach(({ configuration: { activated } }, step) => {
    const more = take(train, ranks.slice(done, activated).flat(), shape.dimension);
    statistics = accumulate(kernel, statistics, shape, more, 1);
    done = activated;
    use({ step, members: ranks.slice(0, activated).flat(), statistics });
  });
}
