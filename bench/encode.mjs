// Images to int8 encodings on each engine, against those of the data set, which tfjs-node made:
// node bench/encode.mjs --data DIRECTORY [--images 10000] [--engines native,wasm]
import { dirname, join } from 'node:path';
import { readEncoderFiles } from '#src/cli/encoder-files.js';
import { readMatrix } from '#src/cli/input/matrix.js';
import { chooseEngine } from '#src/engine/choose.js';
import { openTfjsEncoder } from '#src/engine/tfjs-encoder.js';
import { quantise } from '#src/model/quantise.js';
import { dataDirectory } from './support/cifar.mjs';
import { readPngs } from './support/cifar-images.mjs';

const DIMENSION = 768;
const QUANTISER = {
  inputDimension: DIMENSION,
  dimension: DIMENSION,
  scale: 127 / 2.45,
  transform: 'sqrt',
};
const MOBILENET = {
  kind: 'tfjs',
  layer: 'global_average_pooling2d_1',
  input: { width: 128, height: 128 },
  pixels: { divisor: 127.5, offset: 1 },
  dimension: DIMENSION,
};
/** As many as the projection takes at a time, about. */
const BATCH = 1000;

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};

const encodings = dataDirectory();
const data = dirname(encodings);
const reference = await readMatrix(join(encodings, 'test-encodings.npy'));
const files = await readEncoderFiles(join(data, 'mobilenet-v1-0.75-224/model.json'));
const pngs = await readPngs(data, Number(option('images', '10000')));
console.log(`${pngs.length} PNGs of 32 x 32, MobileNet v1 0.75 at 128 x 128`);
for (const name of option('engines', 'native,wasm').split(',')) await measure(chooseEngine(name));

async function measure(engine) {
  const opening = performance.now();
  const encoder = await openTfjsEncoder(MOBILENET, files, engine);
  const opened = performance.now();
  /** How many numbers are off by so much. */
  const off = [];
  try {
    for (let from = 0; from < pngs.length; from += BATCH) {
      const inputs = pngs.slice(from, from + BATCH);
      for (const [i, made] of (await encoder.encode(inputs)).entries())
        compare(made, from + i, off);
    }
  } finally {
    await encoder.close();
  }
  const rate = (1000 * pngs.length) / (performance.now() - opened);
  const equal = (100 * off[0]) / (pngs.length * DIMENSION);
  console.log(
    `${engine}: opened in ${((opened - opening) / 1000).toFixed(1)} s, ${rate.toFixed(0)} images/s; ` +
      `int8 equal ${equal.toFixed(3)} %, largest difference ${off.length - 1}`,
  );
}

/** Adds to `off` how far the numbers of an encoding are off. */
function compare(made, row, off) {
  const expected = reference.values.subarray(row * DIMENSION, (row + 1) * DIMENSION);
  const [a, b] = [quantise(QUANTISER, made), quantise(QUANTISER, expected)];
  for (let i = 0; i < DIMENSION; i++) {
    const far = Math.abs(a[i] - b[i]);
    off[far] = (off[far] ?? 0) + 1;
  }
}
