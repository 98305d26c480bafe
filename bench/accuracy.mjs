// Test accuracy on CIFAR-10 encodings: node bench/accuracy.mjs --data DIRECTORY
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { buildModel } from '#src/model/build.js';
import { predict } from '#src/model/predict.js';
import {
  CLASSES,
  cifarModel,
  dataDirectory,
  encode,
  KEY_ROWS,
  readCifar,
  seconds,
} from './support/cifar.mjs';

const directory = dataDirectory();
const { train, trainLabels, test, testLabels } = await readCifar(directory);
const kernel = await loadWasmKernel();

/** `known` is what NumPy and scikit-learn gave once, for the same setting. */
const SETTINGS = [
  ['one ridge head on all data', 85.0, { adapters: 1, activated: 1, lambda: 0.01 }],
  ['n = 1000, k = 10, lambda 0.1', 88.3, { adapters: 1000, activated: 10, lambda: 0.1 }],
  [
    'n = 1000, k = 10, random Gaussian keys',
    87.0,
    { adapters: 1000, activated: 10, lambda: 0.1, random: true },
  ],
  [
    'n = 1000, k = 10, 256 principal components',
    87.65,
    { adapters: 1000, activated: 10, lambda: 0.1, components: 256 },
  ],
  ['n = 300, k = 10, lambda 0.03', 88.2, { adapters: 300, activated: 10, lambda: 0.03 }],
  ['n = 100, k = 10, lambda 0.01', 87.7, { adapters: 100, activated: 10, lambda: 0.01 }],
  ['n = 1000, k = 20, lambda 0.1', 88.3, { adapters: 1000, activated: 20, lambda: 0.1 }],
  ['n = 100, k = 1, lambda 0.1', 81.6, { adapters: 100, activated: 1, lambda: 0.1 }],
];

console.log(
  'setting                                    accuracy    NumPy  members min/median/max  build',
);
for (const [name, known, setting] of SETTINGS) report(name, known, setting);

function report(name, known, { adapters, activated, lambda, random = false, components }) {
  const { model } = cifarModel(directory, test, {
    adapters,
    activated,
    adapter: { kind: 'least-squares', lambda },
    ...(random && { keys: gaussianKeys() }),
    ...(components && { components }),
  });
  const start = performance.now();
  const built = buildModel(kernel, model, { encodings: encode(model, train), labels: trainLabels });
  const time = seconds(start);
  const weights = built.adapters.map(({ members, bytes }) =>
    members > 0 ? new Float32Array(Uint8Array.from(bytes).buffer) : null,
  );
  const encodings = encode(model, test).subarray(KEY_ROWS * model.shape.dimension);
  const count = test.rows - KEY_ROWS;
  const right = predict(kernel, model, weights, encodings, count).filter(
    ({ label }, i) => label === CLASSES[testLabels[KEY_ROWS + i]],
  ).length;
  const sizes = built.adapters.map(({ members }) => members).sort((a, b) => a - b);
  const members = `${sizes[0]}/${sizes[sizes.length >> 1]}/${sizes.at(-1)}`;
  console.log(
    `${name.padEnd(42)} ${((100 * right) / count).toFixed(2).padStart(8)} ${known.toFixed(2).padStart(8)}  ${members.padStart(22)} ${time.toFixed(1).padStart(5)} s`,
  );
}

/** Mean and spread of the public reference encodings, dimension by dimension: never of the samples. */
function gaussianKeys() {
  const { model } = cifarModel(directory, test);
  const encodings = encode(model, test).subarray(0, KEY_ROWS * model.shape.dimension);
  const { dimension } = model.shape;
  const center = [];
  const spread = [];
  for (let i = 0; i < dimension; i++) {
    let sum = 0;
    let squares = 0;
    for (let r = 0; r < KEY_ROWS; r++) {
      const value = encodings[r * dimension + i];
      sum += value;
      squares += value * value;
    }
    center.push(sum / KEY_ROWS);
    spread.push(Math.sqrt(squares / KEY_ROWS - (sum / KEY_ROWS) ** 2));
  }
  return { kind: 'random', seed: 1, center, spread };
}
