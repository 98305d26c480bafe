import { activate, keysOf } from './activation.js';
import type { Weights } from './adapter.js';
import type { Kernel } from './kernel.js';
import type { Model } from './model.js';

/** Weights of every adapter in order of id; null for one without members. */
export type AdapterWeights = readonly (Weights | null)[];

export type Prediction = {
  /** The class with the highest score, ties to the first; null when no activated adapter has members. */
  readonly label: string | null;
  /** Mean of the activated adapters' outputs, by class; of softmax adapters, of their probabilities. */
  readonly scores: Float64Array;
  /** The activated adapters, nearest first. */
  readonly adapters: readonly number[];
};

/** Predicts `count` encodings, int8 [count, dimension] (LegoNet, section 3.4), by the model's keys. */
export function predict(
  kernel: Kernel,
  model: Model,
  weights: AdapterWeights,
  encodings: Int8Array,
  count: number,
): Prediction[] {
  const { activated, classes, adapter } = model.configuration;
  const { dimension } = model.shape;
  const active = activate(kernel, keysOf(model), encodings, count, activated);
  return Array.from({ length: count }, (_, s) => {
    const x = encodings.subarray(s * dimension, (s + 1) * dimension);
    const adapters = [...active.subarray(s * activated, (s + 1) * activated)];
    const members = adapters.map((j) => weights[j]).filter((w) => w != null);
    const scores = new Float64Array(classes.length);
    for (const w of members) {
      const outputs = outputsOf(w, x, classes.length);
      if (adapter.kind === 'softmax') toProbabilities(outputs);
      outputs.forEach((output, c) => {
        scores[c] = (scores[c] ?? 0) + output;
      });
    }
    for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] ?? 0) / activated;
    const best = scores.reduce((top, score, c) => (score > (scores[top] ?? 0) ? c : top), 0);
    return { label: members.length > 0 ? (classes[best] ?? null) : null, scores, adapters };
  });
}

function outputsOf(weights: Weights, x: Int8Array, classes: number): Float64Array {
  const outputs = new Float64Array(classes);
  for (let c = 0; c < classes; c++) {
    let output = weights[x.length * classes + c] ?? 0;
    for (let i = 0; i < x.length; i++) output += (x[i] ?? 0) * (weights[i * classes + c] ?? 0);
    outputs[c] = output;
  }
  return outputs;
}

/** Softmax, in place; the greatest is taken away first, so that nothing overflows. */
function toProbabilities(outputs: Float64Array): void {
  const greatest = Math.max(...outputs);
  let sum = 0;
  outputs.forEach((output, c) => {
    sum += outputs[c] = Math.exp(output - greatest);
  });
  outputs.forEach((power, c) => {
    outputs[c] = power / sum;
  });
}
