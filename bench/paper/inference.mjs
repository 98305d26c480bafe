// Membership inference against the model before and after a deletion: is a sample told from one that the
// model never saw? The attack is a threshold on the score of the sample's own class (as on the loss: Yeom et
// al. 2018, "Privacy Risk in Machine Learning", adversary 2).
import { weightsBytes, weightsDigest } from '#src/model/adapter.js';
import { buildModel, membersByAdapter } from '#src/model/build.js';
import { modelDigest } from '#src/model/digest.js';
import { accumulate, emptyStatistics } from '#src/model/statistics.js';
import { CLASSES } from '../support/cifar.mjs';
import { fitWithout, predictions } from './forget.mjs';
import { modelOf, shuffled, take } from './samples.mjs';

/** Rows held out for the attacker to choose his threshold with, and as many to try it on. */
const HELD_OUT = 0.08;

/**
 * Of the training rows, in random order, some are never in the set, and `deletions` are in it and deleted. All
 * groups are drawn alike, so that nothing but the model can tell one from the other.
 */
export function inferMembership(kernel, samples, { deletions, ...setting }) {
  const { train, dimension } = samples;
  const model = modelOf(samples, setting);
  const order = shuffled(train.labels.length, 'inference');
  const held = Math.round(HELD_OUT * order.length);
  const present = order.slice(2 * held);
  const deleted = present.slice(0, deletions);
  const retained = present.slice(deletions);
  const rows = (numbers) => take(train, numbers, dimension);
  const groups = {
    retained: rows(retained.slice(0, deletions)),
    deleted: rows(deleted),
    calibration: rows(order.slice(0, held)),
    unseen: rows(order.slice(held, 2 * held)),
  };
  const set = rows(present);
  const { before, after } = deleteFirst(kernel, model, set, deletions);
  const counterfactual = buildModel(kernel, model, rows(retained));
  const see = (weights) => attack(Object.entries(groups), kernel, model, weights);
  return {
    deletions,
    digestEqual: digestOf(model, after) === counterfactual.modelDigest,
    before: see(before),
    after: see(after),
  };
}

/** The weights of all adapters with all rows and without the first ones, by subtraction from kept sums. */
function deleteFirst(kernel, model, train, deletions) {
  const deleted = new Set(Array.from({ length: deletions }, (_, row) => row));
  const before = [];
  const after = [];
  for (const members of membersByAdapter(kernel, model, train)) {
    const rows = take(train, members, model.shape.dimension);
    const kept = accumulate(kernel, emptyStatistics(model.shape), model.shape, rows, 1);
    before.push(fitWithout(kernel, model, train, members, kept, new Set()));
    after.push(fitWithout(kernel, model, train, members, kept, deleted));
  }
  return { before, after };
}

function digestOf(model, weights) {
  const { dimension, classes } = model.shape;
  const empty = new Float32Array((dimension + 1) * classes);
  const digests = weights.map((w) => weightsDigest(weightsBytes(w ?? empty)));
  return modelDigest(model.digest, digests);
}

/**
 * Of the groups that are tried: accuracy in percent, and how much more often the attacker calls them members than
 * the unseen, with a 95 % interval.
 */
function attack(groups, kernel, model, weights) {
  const seen = Object.fromEntries(
    groups.map(([name, rows]) => [name, [...predictions(kernel, model, weights, rows)]]),
  );
  const threshold = bestThreshold(seen.retained.map(ownScore), seen.calibration.map(ownScore));
  const rate = (group) => share(group, (prediction) => ownScore(prediction) >= threshold);
  const result = ({ length }, p, q) => {
    const error = Math.sqrt((p * (1 - p)) / length + (q * (1 - q)) / seen.unseen.length);
    return { advantage: p - q, low: p - q - 1.96 * error, high: p - q + 1.96 * error };
  };
  const names = ['retained', 'deleted', 'unseen'];
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        accuracy: 100 * share(seen[name], ({ label, truth }) => label === CLASSES[truth]),
        ...(name !== 'unseen' && result(seen[name], rate(seen[name]), rate(seen.unseen))),
      },
    ]),
  );
}

const ownScore = ({ scores, truth }) => scores[truth];
const share = (group, holds) => group.filter(holds).length / group.length;

/** The threshold at which the share of `members` above it exceeds that of `others` most. */
function bestThreshold(members, others) {
  const scores = [
    ...Array.from(members, (score) => ({ score, step: 1 / members.length })),
    ...Array.from(others, (score) => ({ score, step: -1 / others.length })),
  ].sort((a, b) => b.score - a.score);
  let difference = 0;
  let best = { difference: 0, threshold: Number.POSITIVE_INFINITY };
  for (const { score, step } of scores) {
    difference += step;
    if (difference > best.difference) best = { difference, threshold: score };
  }
  return best.threshold;
}
