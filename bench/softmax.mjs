// Softmax adapters, on the engine of LEGONET_ENGINE: node bench/softmax.mjs --data DIRECTORY [--quick]
import { openTrainer } from '#src/engine/trainer.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { buildModel } from '#src/model/build.js';
import { predict } from '#src/model/predict.js';
import { fitSoftmax } from '#src/model/softmax.js';
import { readSettings } from '#src/settings.js';
import {
  CLASSES,
  cifarModel,
  dataDirectory,
  encode,
  KEY_ROWS,
  median,
  readCifar,
  seconds,
} from './support/cifar.mjs';

const directory = dataDirectory();
const { train, trainLabels, test, testLabels } = await readCifar(directory);
const { trainer, backend } = await openTrainer(readSettings(process.env).engine, null);
const kernel = await loadWasmKernel();
const settings = (changes) => ({
  kind: 'softmax',
  steps: 50,
  learningRate: 4,
  seed: 1,
  ...changes,
});
console.log(JSON.stringify(backend));

const { model } = cifarModel(directory, test, { adapters: 100, adapter: settings() });
const { shape, configuration } = model;
const samples = { encodings: encode(model, train), labels: trainLabels };

for (const count of [370, 2900]) {
  const rows = {
    encodings: samples.encodings.subarray(0, count * shape.dimension),
    labels: trainLabels.subarray(0, count),
  };
  for (const changes of [{}, { batch: 64 }]) {
    const times = Array.from({ length: 6 }, () => {
      const start = performance.now();
      fitSoftmax(kernel, trainer, shape, settings(changes), rows);
      return seconds(start);
    });
    const time = Math.round(1000 * median(times.slice(1)));
    console.log(`${count} members, batch ${changes.batch ?? 'full'}: ${time} ms for 50 steps`);
  }
}
if (process.argv.includes('--quick')) process.exit();

for (const [name, changes] of [
  ['n = 100, k = 10, 50 steps', {}],
  ['n = 100, k = 10, 150 steps', { adapter: settings({ steps: 150 }) }],
]) {
  const { model } = cifarModel(directory, test, { ...configuration, ...changes });
  const start = performance.now();
  const built = buildModel(kernel, model, samples, trainer);
  const time = seconds(start).toFixed(0);
  const weights = built.adapters.map(({ members, bytes }) =>
    members > 0 ? new Float32Array(Uint8Array.from(bytes).buffer) : null,
  );
  const encodings = encode(model, test).subarray(KEY_ROWS * shape.dimension);
  const count = test.rows - KEY_ROWS;
  const right = predict(kernel, model, weights, encodings, count).filter(
    ({ label }, i) => label === CLASSES[testLabels[KEY_ROWS + i]],
  ).length;
  console.log(`${name}: ${((100 * right) / count).toFixed(2)} %, built in ${time} s`);
}
