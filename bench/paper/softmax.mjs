// Softmax layers, the paper's own kind, trained on TensorFlow: as FixSISA's heads and as LegoNet's adapters.
import { chooseEngine } from '#src/engine/choose.js';
import { softmaxTrainer } from '#src/engine/softmax.js';
import { openTensorFlow } from '#src/engine/tensorflow.js';
import { membersByAdapter } from '#src/model/build.js';
import { fitSoftmax } from '#src/model/softmax.js';
import { median } from '../support/cifar.mjs';
import { accuracy, score } from './forget.mjs';
import { experiment, modelOf, random100, take } from './samples.mjs';
import { deal } from './shards.mjs';
import { activatedBy, timed } from './timing.mjs';

/** Opened by the first to need it in this thread: the one asked for, or native where that is installed. */
const engine = (asked) => openTensorFlow(chooseEngine(asked));

/** FixSISA with so many softmax heads, their probabilities averaged. */
export async function softmaxShards(
  kernel,
  samples,
  { shards, adapter, convergence, experiment: name },
) {
  const { tf } = await engine();
  const { train, dimension } = samples;
  const { shape } = modelOf(samples, { adapters: 1, activated: 1, lambda: 1 });
  const { deleted, scored } = experiment(name, samples);
  const heads = deal(train.labels.length, shards).map((rows) => {
    const left = rows.filter((row) => !deleted.has(row));
    return fitSoftmax(kernel, softmaxTrainer(tf), shape, adapter, take(train, left, dimension));
  });
  const accuracies = score(scored, (rows) => ensembleAccuracy(tf, shape, heads, rows));
  const { steps, batch } = adapter;
  return { shards, steps, batch, convergence, experiment: name, ...accuracies };
}

/** Share of rows in percent whose label has the highest mean probability. */
function ensembleAccuracy(tf, { dimension, classes }, heads, { encodings, labels }) {
  const predicted = tf.tidy(() => {
    const x = tf.tensor2d(Float32Array.from(encodings), [labels.length, dimension]);
    const probabilities = heads.map((head) => {
      const weights = tf.tensor2d(head.subarray(0, dimension * classes), [dimension, classes]);
      const bias = tf.tensor1d(head.subarray(dimension * classes));
      return tf.softmax(tf.add(tf.matMul(x, weights), bias));
    });
    return tf.argMax(tf.addN(probabilities), 1).dataSync();
  });
  return (100 * labels.filter((label, i) => predicted[i] === label).length) / labels.length;
}

/** LegoNet with softmax adapters, after Random100 or UnClass. */
export async function softmaxLegonet(kernel, samples, { experiment: name, ...setting }) {
  const { tf } = await engine();
  const { train, dimension } = samples;
  const model = modelOf(samples, setting);
  const { deleted, scored } = experiment(name, samples);
  const weights = membersByAdapter(kernel, model, train).map((members) => {
    const left = members.filter((row) => !deleted.has(row));
    const rows = take(train, left, dimension);
    return left.length > 0
      ? fitSoftmax(kernel, softmaxTrainer(tf), model.shape, model.configuration.adapter, rows)
      : null;
  });
  return {
    ...setting,
    experiment: name,
    ...score(scored, (rows) => accuracy(kernel, model, weights, rows)),
  };
}

/**
 * Median CPU seconds of `deletions` of Random100, one by one: the k softmax adapters trained from their retained
 * members, as the service does.
 */
export async function timeSoftmaxDeletions(kernel, samples, task) {
  const { deletions, engine: asked, ...setting } = task;
  const { tf, engine: name } = await engine(asked);
  const { train, dimension } = samples;
  const model = modelOf(samples, setting);
  const members = membersByAdapter(kernel, model, train);
  const retrain = (rows) =>
    fitSoftmax(kernel, softmaxTrainer(tf), model.shape, setting.adapter, rows);
  const unlearn = (row, j) => {
    members[j] = members[j].filter((member) => member !== row);
    const left = take(train, members[j], dimension);
    return timed(() => retrain(left))[1];
  };
  const rows = random100(samples).slice(0, deletions);
  // What the first training of all takes besides is not a deletion's.
  retrain(take(train, members[activatedBy(kernel, model, train, rows[0])[0]], dimension));
  const sum = (values) => values.reduce((a, b) => a + b);
  const times = rows.map((row) =>
    sum(Array.from(activatedBy(kernel, model, train, row), (j) => unlearn(row, j))),
  );
  return { ...setting, engine: name, seconds: median(times) };
}

/** Median CPU seconds to fit one softmax head of so many shards again without one sample. */
export async function timeSoftmaxShard(kernel, samples, task) {
  const { shards, adapter, deletions } = task;
  const { tf, engine: name } = await engine(task.engine);
  const { train, dimension } = samples;
  const { shape } = modelOf(samples, { adapters: 1, activated: 1, lambda: 1 });
  const times = deal(train.labels.length, shards)
    .slice(0, deletions)
    .map(([, ...rows]) => {
      const left = take(train, rows, dimension);
      return timed(() => fitSoftmax(kernel, softmaxTrainer(tf), shape, adapter, left))[1];
    });
  const { steps, batch } = adapter;
  return { shards, steps, batch, engine: name, seconds: median(times) };
}
