// Adapters without some of their members, by the pure functions of src/model.
import { fitAdapter, fitFromStatistics, isDual } from '#src/model/adapter.js';
import { predict } from '#src/model/predict.js';
import { accumulate } from '#src/model/statistics.js';
import { CLASSES } from '../support/cifar.mjs';
import { take } from './samples.mjs';

/**
 * An adapter's weights without the `deleted` of its members, and the statistics they come of: `kept`, those
 * of all members, minus the deleted. As in the service, an adapter in the dual form is built from its
 * members. null where nobody is left.
 */
export function fitWithout(kernel, { shape, configuration }, train, members, kept, deleted) {
  const { lambda } = configuration.adapter;
  const gone = members.filter((row) => deleted.has(row));
  const left = members.length - gone.length;
  if (left === 0) return null;
  if (isDual(left, shape)) {
    const rows = members.filter((row) => !deleted.has(row));
    return fitAdapter(kernel, shape, lambda, take(train, rows, shape.dimension));
  }
  const copy = { count: kept.count, sums: kept.sums.slice() };
  const statistics = accumulate(kernel, copy, shape, take(train, gone, shape.dimension), -1);
  return fitFromStatistics(kernel, shape, lambda, statistics);
}

/** Predictions of `rows`, panel by panel: a panel's distances to all keys are in memory at once. */
export function* predictions(kernel, model, weights, { encodings, labels }) {
  const { dimension } = model.shape;
  for (let from = 0; from < labels.length; from += PANEL) {
    const count = Math.min(PANEL, labels.length - from);
    const part = encodings.subarray(from * dimension, (from + count) * dimension);
    const panel = predict(kernel, model, weights, part, count);
    for (let i = 0; i < count; i++) yield { ...panel[i], truth: labels[from + i] };
  }
}

const PANEL = 1024;

/** Share of rows in percent whose label is predicted. */
export function accuracy(kernel, model, weights, rows) {
  let right = 0;
  for (const { label, truth } of predictions(kernel, model, weights, rows)) {
    if (label === CLASSES[truth]) right++;
  }
  return (100 * right) / rows.labels.length;
}

/** Accuracy on each of the groups that an experiment scores. */
export function score(scored, accuracyOn) {
  return Object.fromEntries(Object.entries(scored).map(([name, rows]) => [name, accuracyOn(rows)]));
}
