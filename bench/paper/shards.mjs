// FixSISA: heads on disjoint random shards of the same encodings, their outputs averaged.
import { fitAdapter } from '#src/model/adapter.js';
import { score } from './forget.mjs';
import { experiment, modelOf, shuffled, take } from './samples.mjs';

/** The rows of each shard, dealt out at random. */
export function deal(count, shards) {
  const rows = Array.from({ length: shards }, () => []);
  shuffled(count, 'shards').forEach((row, i) => {
    rows[i % shards].push(row);
  });
  return rows;
}

/**
 * Least-squares heads. The mean of linear outputs is the output of the mean weights, which spares us the
 * many heads when predicting.
 */
export function leastSquaresShards(kernel, samples, { shards, lambda, experiments }) {
  const { train, dimension } = samples;
  const { shape } = modelOf(samples, { adapters: 1, activated: 1, lambda });
  return experiments.map((name) => {
    const { deleted, scored } = experiment(name, samples);
    const mean = new Float64Array((dimension + 1) * shape.classes);
    for (const rows of deal(train.labels.length, shards)) {
      const left = rows.filter((row) => !deleted.has(row));
      const weights = fitAdapter(kernel, shape, lambda, take(train, left, dimension));
      for (let i = 0; i < mean.length; i++) mean[i] += weights[i] / shards;
    }
    const accuracies = score(scored, (rows) => linearAccuracy(mean, rows, shape));
    return { shards, lambda, experiment: name, ...accuracies };
  });
}

/** Share of rows in percent whose label has the highest output of one linear head. */
function linearAccuracy(weights, { encodings, labels }, { dimension, classes }) {
  let right = 0;
  labels.forEach((label, row) => {
    const scores = weights.slice(dimension * classes);
    for (let i = 0; i < dimension; i++) {
      const value = encodings[row * dimension + i];
      for (let c = 0; c < classes; c++) scores[c] += value * weights[i * classes + c];
    }
    if (scores.indexOf(Math.max(...scores)) === label) right++;
  });
  return (100 * right) / labels.length;
}
