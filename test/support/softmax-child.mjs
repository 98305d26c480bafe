// Trains adapters of several shapes on the engine that is named; prints its probe and their digests.
import { openTrainer } from '#src/engine/trainer.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { weightsBytes, weightsDigest } from '#src/model/adapter.js';
import { drawsFrom } from '#src/model/draws.js';
import { fitSoftmax } from '#src/model/softmax.js';

const { trainer, backend } = await openTrainer(process.argv[2], null);
console.log(backend.probe);
const kernel = await loadWasmKernel();
const draw = drawsFrom('softmax-child');
for (const [count, dimension, classes, batch] of [
  [1, 3, 2],
  [370, 768, 10],
  [2900, 96, 10],
  [500, 64, 7, 33],
]) {
  const encodings = new Int8Array(draw(count * dimension));
  const labels = Array.from(draw(count), (byte) => byte % classes);
  const settings = { kind: 'softmax', steps: 10, learningRate: 4, seed: 1, batch };
  const rows = { encodings, labels };
  const weights = fitSoftmax(kernel, trainer, { dimension, classes }, settings, rows);
  console.log(weightsDigest(weightsBytes(weights)));
}
