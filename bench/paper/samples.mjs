// CIFAR-10 encodings, quantised once for all threads, and what is deleted of them.
import { createHash } from 'node:crypto';
import { cifarModel, encode, KEY_ROWS, readCifar } from '../support/cifar.mjs';

/** The class that is unlearned as a whole: airplane. */
const UNLEARNED_CLASS = 0;
/** Accuracy on retained samples is that of so many of them, drawn at random. */
const RETAINED_SCORED = 10_000;

/**
 * What threads share: `keys` the first test rows, `train` and `test` rows with their labels; `tested`
 * leaves the keys out. All projected to so many principal `components` of the keys, if any.
 */
export async function loadSamples(directory, { trained, tested }, components) {
  const cifar = await readCifar(directory);
  const { model } = cifarModel(directory, cifar.test, { components });
  const { dimension } = model.shape;
  const test = encode(model, cifar.test);
  const rows = (encodings, labels, from, count) => ({
    encodings: shared(encodings.subarray(from * dimension, (from + count) * dimension)),
    labels: shared(labels.subarray(from, from + count)),
  });
  const train = rows(
    encode(model, { ...cifar.train, rows: trained }),
    cifar.trainLabels,
    0,
    trained,
  );
  const keys = shared(test.subarray(0, KEY_ROWS * dimension));
  return {
    directory,
    keys,
    train,
    test: rows(test, cifar.testLabels, KEY_ROWS, tested),
    dimension,
  };
}

function shared(values) {
  const copy = new values.constructor(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}

/** The model of a setting, by default with least-squares adapters: keys are public rows, none of them scored. */
export function modelOf({ directory, keys, dimension }, setting) {
  const { adapters, activated, lambda, adapter = { kind: 'least-squares', lambda } } = setting;
  const matrix = { columns: dimension, values: keys };
  // Of all rows the int8 encodings are there already: there is nothing left to scale or to project.
  const encoder = { kind: 'identity', dimension, scale: 1 };
  return cifarModel(directory, matrix, { adapters, activated, adapter, encoder }).model;
}

/** Rows of `all` by number. */
export function take(all, numbers, dimension) {
  const encodings = new Int8Array(numbers.length * dimension);
  const labels = new Uint8Array(numbers.length);
  numbers.forEach((from, to) => {
    encodings.set(all.encodings.subarray(from * dimension, (from + 1) * dimension), to * dimension);
    labels[to] = all.labels[from];
  });
  return { encodings, labels };
}

/** The numbers below `count` in an order that a seed decides. */
export function shuffled(count, seed) {
  const hash = (i) => createHash('sha256').update(`${seed}:${i}`).digest('hex');
  const hashes = Array.from({ length: count }, (_, i) => hash(i));
  return Array.from(hashes.keys()).sort((i, j) => (hashes[i] < hashes[j] ? -1 : 1));
}

/** The training rows that Random100 unlearns, in the order of their deletions. */
export const random100 = ({ train }) => shuffled(train.labels.length, 'random100').slice(0, 100);

/**
 * What an experiment deletes, as a set of training rows, and the rows on which it is scored. Of a class
 * that nobody knows any more the test images are left out as well.
 */
export function experiment(name, samples) {
  const { train, test, dimension } = samples;
  const unlearnsClass = name === 'UnClass';
  const wanted = (label) => !unlearnsClass || label !== UNLEARNED_CLASS;
  const numbers = (labels, keep) => [...labels.keys()].filter((i) => keep(labels[i]));
  const deleted = unlearnsClass
    ? numbers(train.labels, (label) => !wanted(label))
    : random100(samples);
  const gone = new Set(deleted);
  const retained = shuffled(train.labels.length, 'retained').filter((i) => !gone.has(i));
  return {
    deleted: gone,
    scored: {
      retained: take(train, retained.slice(0, RETAINED_SCORED), dimension),
      deleted: take(train, deleted, dimension),
      test: take(test, numbers(test.labels, wanted), dimension),
    },
  };
}
