import { LegonetError } from '../errors.js';
import { canonicalRows, type Weights } from './adapter.js';
import type { SoftmaxSettings } from './configuration.js';
import { covarianceNorm } from './covariance.js';
import { drawsFrom, nearNormals, permutation } from './draws.js';
import type { Kernel } from './kernel.js';
import { type Rows, type Shape, unknowns } from './statistics.js';
import type { Trainer } from './trainer.js';

/** Where a configuration does not say. */
const MOMENTUM = 0.9;
/** Deviation of the initial weights, of outputs on encodings of full scale. */
const SPREAD = 0.01;
/** Numbers in the features of one adapter: 512 MB, of which the backend holds two. */
const MAX_FEATURES = 2 ** 27;

/**
 * A softmax adapter with bias (LegoNet section 3.3, cross-entropy): gradient descent from a seeded state.
 * Weights as those of `fitAdapter`. A function of the set of members, for each backend of `trainer`: their
 * order does not matter. Without members, zeros. Throws `too_many_members` (stop) beyond what a backend holds.
 */
export function fitSoftmax(
  kernel: Kernel,
  trainer: Trainer,
  shape: Shape,
  settings: SoftmaxSettings,
  rows: Rows,
): Weights {
  const count = rows.labels.length;
  if (count === 0) return new Float32Array(unknowns(shape) * shape.classes);
  checkSize(count, shape);
  const { encodings, labels } = canonicalRows(rows, shape.dimension);
  const scaling = scalingOf(kernel, encodings, count, shape.dimension);
  const { steps, learningRate, momentum = MOMENTUM, seed, batch = count } = settings;
  const trained = trainer.train({
    shape,
    features: scaled(encodings, scaling),
    labels,
    initial: initialWeights(seed, shape, scaling),
    steps,
    learningRate,
    momentum,
    batches: batch < count ? batches(seed, count, batch) : null,
  });
  return unscaled(trained, shape, scaling);
}

function checkSize(count: number, shape: Shape): void {
  const most = Math.floor(MAX_FEATURES / unknowns(shape));
  if (count <= most) return;
  throw new LegonetError(
    'too_many_members',
    `a softmax adapter has ${count} members, more than ${most} at dimension ${shape.dimension}: ` +
      'take more adapters, or fewer activated, in another database',
    'stop',
  );
}

/**
 * Features are (x - mean) / scale. With the bias' feature 1 beside them, no eigenvalue of their second moments is
 * greater than 1, so a learning rate up to 4 is stable whatever the members: docs/exactness.md. Descent is faster
 * by far than on encodings as they are.
 */
type Scaling = { readonly mean: Float64Array; readonly scale: number };

/** Of members in canonical order: the last bits of `scale` may depend on it. */
function scalingOf(
  kernel: Kernel,
  encodings: Int8Array,
  count: number,
  dimension: number,
): Scaling {
  const mean = new Float64Array(dimension);
  encodings.forEach((x, at) => {
    const i = at % dimension;
    mean[i] = (mean[i] as number) + x;
  });
  mean.forEach((sum, i) => {
    mean[i] = sum / count;
  });
  const norm = covarianceNorm(kernel, encodings, count, mean);
  // One member, or all alike: their features are zero by any scale.
  return { mean, scale: Math.sqrt(norm) || 1 };
}

function scaled(encodings: Int8Array, { mean, scale }: Scaling): Float32Array {
  const dimension = mean.length;
  const features = new Float32Array((encodings.length / dimension) * (dimension + 1)).fill(1);
  encodings.forEach((x, at) => {
    const i = at % dimension;
    features[at + (at - i) / dimension] = (x - (mean[i] as number)) / scale;
  });
  return features;
}

/** The same for each adapter, but that its scaling comes upon it. */
function initialWeights(seed: SoftmaxSettings['seed'], shape: Shape, { scale }: Scaling): Weights {
  const { dimension, classes } = shape;
  const draw = drawsFrom(`legonet.softmax-initial.v1\n${seed}`);
  const unit = SPREAD / (FULL_SCALE * Math.sqrt(dimension));
  const z = nearNormals(draw, unknowns(shape) * classes);
  return Float32Array.from(z, (value, at) =>
    at < dimension * classes ? value * unit * scale : value * SPREAD,
  );
}

/** Of the quantiser. */
const FULL_SCALE = 127;

/** Each epoch a new order, in batches of `size`, the last one smaller. */
function* batches(
  seed: SoftmaxSettings['seed'],
  count: number,
  size: number,
): Generator<Int32Array, never> {
  const draw = drawsFrom(`legonet.softmax-batches.v1\n${seed}`);
  for (;;) {
    const order = permutation(draw, count);
    for (let from = 0; from < count; from += size) yield order.slice(from, from + size);
  }
}

/** Weights for encodings as they are. */
function unscaled(trained: Weights, { dimension, classes }: Shape, { mean, scale }: Scaling) {
  const weights = new Float32Array(trained.length);
  for (let c = 0; c < classes; c++) {
    let bias = trained[dimension * classes + c] as number;
    for (let i = 0; i < dimension; i++) {
      const weight = (trained[i * classes + c] as number) / scale;
      weights[i * classes + c] = weight;
      bias -= (mean[i] as number) * weight;
    }
    weights[dimension * classes + c] = bias;
  }
  return weights;
}
