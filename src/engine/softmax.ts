import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Trainer, Training } from '../model/trainer.js';
import type { TensorFlow } from './tensorflow.js';

type Operations = TensorFlow['tf'];

/**
 * Trains softmax layers on TensorFlow. For an adapter, or any other linear layer on int8 encodings (a shard of a
 * SISA ensemble, one head on all data), call `fitSoftmax` of src/model/softmax.ts with it:
 *
 *     const { trainer } = await openTrainer(undefined, null);
 *     const weights = fitSoftmax(kernel, trainer, shape, settings, rows);
 */
export const softmaxTrainer = (tf: Operations): Trainer => ({
  train: (training) => tf.tidy(() => descend(tf, training).dataSync() as Float32Array),
});

/** Products are plain: the transposing flags of `matMul` take a slow path in WebAssembly. */
function descend(tf: Operations, training: Training): Tensor2D {
  const { shape, features, labels, initial, steps, batches } = training;
  const unknowns = shape.dimension + 1;
  const x = tf.tensor2d(features, [labels.length, unknowns]);
  const y = tf.tensor2d(oneHot(labels, shape.classes), [labels.length, shape.classes]);
  const all: Batch = { x, y, xT: batches ? null : tf.transpose(x) };
  let weights = tf.tensor2d(initial, [unknowns, shape.classes]);
  let velocity = tf.zerosLike(weights);
  for (let step = 0; step < steps; step++) {
    const [w, v] = tf.tidy(() => {
      const batch = batches ? take(tf, all, batches.next().value) : all;
      return next(tf, batch, weights, velocity, training);
    });
    weights.dispose();
    velocity.dispose();
    [weights, velocity] = [w, v];
  }
  return weights;
}

type Batch = {
  readonly x: Tensor2D;
  readonly y: Tensor2D;
  readonly xT: Tensor2D | null;
};

function take(tf: Operations, { x, y }: Batch, rows: Int32Array): Batch {
  const at = tf.tensor1d(rows, 'int32');
  return { x: tf.gather(x, at), y: tf.gather(y, at), xT: null };
}

/** One step; the gradient of mean cross-entropy is xᵀ(softmax(xW) − y) / rows. */
function next(
  tf: Operations,
  { x, y, xT }: Batch,
  weights: Tensor2D,
  velocity: Tensor2D,
  { momentum, learningRate }: Training,
): [Tensor2D, Tensor2D] {
  const errors = tf.sub(tf.softmax(tf.matMul(x, weights)), y);
  const gradient = tf.matMul<Tensor2D>(xT ?? tf.transpose(x), errors);
  const v = tf.sub<Tensor2D>(
    tf.mul(velocity, momentum),
    tf.mul(gradient, learningRate / x.shape[0]),
  );
  return [tf.add(weights, v), v];
}

function oneHot(labels: ArrayLike<number>, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) targets[i * classes + (labels[i] ?? 0)] = 1;
  return targets;
}
