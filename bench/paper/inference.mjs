// Membership inference against the model before and after a deletion: is a sample told from one that the
// model never saw? The attack is a threshold on the score of the sample's own class (as on the loss: Yeom et
// al. 2018, "Privacy Risk in Machine Learning", adversary 2).
import { weightsBytes, weightsDigest } from '#src/model/adapter.js';
import { buildModel, membersByAdapter } from '#src/model/build.js';
import { modelDigest } from '#src/model/digest.js';
import { accumulate, emptyStatistics } from '#src/model/statistics.js';
import { fitWithout, predictions } from './forget.mjs';
import { modelOf, shuffled, take } from './samples.mjs';

/**
 * `deletions` random training rows are deleted. The attacker chooses the threshold that tells best between
 * retained samples and one half of the test rows; the other half is what he has never seen either.
 */
export function inferMembership(kernel, samples, { deletions, ...setting }) {
  const { train, test, dimension } = samples;
  const model = modelOf(samples, setting);
  const order = shuffled(train.labels.length, 'inference');
  const deleted = order.slice(0, deletions);
  const retained = order.slice(deletions);
  const half = test.labels.length >> 1;
  const row = (i) => i;
  const groups = {
    retained: take(train, retained.slice(0, deletions), dimension),
    deleted: take(train, deleted, dimension),
    calibration: take(test, Array.from({ length: half }, row), dimension),
    unseen: take(
      test,
      Array.from({ length: half }, (_, i) => half + i),
      dimension,
    ),
  };
  const { before, after } = deleteFrom(kernel, model, train, new Set(deleted));
  const counterfactual = buildModel(kernel, model, take(train, retained, dimension));
  const confidences = (weights) =>
    Object.fromEntries(
      Object.entries(groups).map(([name, rows]) => [
        name,
        trueScores(kernel, model, weights, rows),
      ]),
    );
  return {
    deletions,
    digestEqual: digestOf(model, after) === counterfactual.modelDigest,
    before: attack(confidences(before)),
    after: attack(confidences(after)),
  };
}

/** The weights of all adapters before and after, the latter by subtraction from kept sums. */
function deleteFrom(kernel, model, train, deleted) {
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

const trueScores = (kernel, model, weights, rows) =>
  Float64Array.from(
    predictions(kernel, model, weights, rows),
    ({ scores, truth }) => scores[truth],
  );

/** How much more often the attacker calls each group members than the never seen, with 95 % intervals. */
function attack({ retained, deleted, calibration, unseen }) {
  const threshold = bestThreshold(retained, calibration);
  const rate = (scores) => scores.filter((score) => score >= threshold).length / scores.length;
  const advantage = (group) => {
    const [p, q] = [rate(group), rate(unseen)];
    const error = Math.sqrt((p * (1 - p)) / group.length + (q * (1 - q)) / unseen.length);
    return { advantage: p - q, low: p - q - 1.96 * error, high: p - q + 1.96 * error };
  };
  return { threshold, retained: advantage(retained), deleted: advantage(deleted) };
}

/** The threshold at which the share of `members` above it exceeds that of `others` most. */
export function bestThreshold(members, others) {
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
