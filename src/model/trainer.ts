import type { Weights } from './adapter.js';
import type { Shape } from './statistics.js';

/** A softmax layer to be trained: everything that the weights are a function of, but the backend. */
export type Training = {
  readonly shape: Shape;
  /** Float32 [members, dimension + 1] row-major, the last column 1: the bias. */
  readonly features: Float32Array;
  /** Class index of each member; at least one. */
  readonly labels: ArrayLike<number>;
  /** Where to begin: float32 [dimension + 1, classes]. */
  readonly initial: Weights;
  readonly steps: number;
  readonly learningRate: number;
  readonly momentum: number;
  /** The members of each step's batch, by row, for as many steps as are asked for; null: all, at each step. */
  readonly batches: Iterator<Int32Array, never> | null;
};

/**
 * Gradient descent on float32 tensors. With g the gradient of the mean cross-entropy of a step's batch,
 * v ← momentum · v − learningRate · g and W ← W + v, from v = 0. Synchronous, and the same bits each time on
 * the same backend, whatever its threads; no two backends agree in the last bits.
 */
export interface Trainer {
  train(training: Training): Weights;
}
