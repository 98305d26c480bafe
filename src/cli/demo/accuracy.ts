import { buildModel } from '../../model/build.js';
import type { Kernel } from '../../model/kernel.js';
import { createModel, type Model } from '../../model/model.js';
import { type AdapterWeights, predict } from '../../model/predict.js';
import { toInt8Encoding } from '../to-record.js';
import type { LabelledRow } from './rows.js';

/** Share of rows, in percent, whose label the model predicts. */
export function accuracy(
  kernel: Kernel,
  model: Model,
  weights: AdapterWeights,
  rows: readonly LabelledRow[],
): number {
  const predictions = predict(kernel, model, weights, encode(model, rows), rows.length);
  const right = predictions.filter(({ label }, i) => label === rows[i]?.label).length;
  return (100 * right) / rows.length;
}

/** The same arithmetic with a single adapter that everything activates: one head on all the data. */
export function accuracyOfOneHead(
  kernel: Kernel,
  model: Model,
  training: readonly LabelledRow[],
  test: readonly LabelledRow[],
): number {
  const oneHead = createModel(
    { ...model.configuration, keys: { kind: 'random', seed: 'one' }, adapters: 1, activated: 1 },
    {},
  );
  const encodings = encode(model, training);
  const labels = training.map(({ label }) => model.classIndex.get(label) ?? 0);
  const [head] = buildModel(kernel, oneHead, { encodings, labels }).adapters;
  const weights = head ? [new Float32Array(Uint8Array.from(head.bytes).buffer)] : [];
  return accuracy(kernel, oneHead, weights, test);
}

function encode({ quantiser, shape }: Model, rows: readonly LabelledRow[]): Int8Array {
  const encodings = new Int8Array(rows.length * shape.dimension);
  rows.forEach((row, i) => {
    encodings.set(toInt8Encoding(quantiser, row.encoding), i * shape.dimension);
  });
  return encodings;
}
