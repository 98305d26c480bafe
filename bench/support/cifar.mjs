// CIFAR-10 encodings as the benches use them; see docs/benchmarks.md.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { readMatrix } from '#src/cli/input/matrix.js';
import { toRecord } from '#src/cli/to-record.js';
import { openStores } from '#src/log/open.js';
import { parseConfiguration } from '#src/model/configuration.js';
import { fitProjection } from '#src/model/fit-projection.js';
import { createModel } from '#src/model/model.js';
import { quantise } from '#src/model/quantise.js';
import { openService } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { saveModel } from '#src/store/model.js';
import { temporaryDirectory } from './directory.mjs';

export const CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
/** Test rows that serve as reference keys are not scored. */
export const KEY_ROWS = 2000;
const NPY_HEADER = 128;

export function dataDirectory() {
  const at = process.argv.indexOf('--data');
  const path = at > 0 ? process.argv[at + 1] : process.env.LEGONET_TEST_DATA;
  if (path) return join(path, 'cifar10-encodings');
  console.error('name the data: --data DIRECTORY, or LEGONET_TEST_DATA');
  process.exit(2);
}

export async function readCifar(directory) {
  const labels = (name) => readFileSync(join(directory, name)).subarray(NPY_HEADER);
  return {
    train: await readMatrix(join(directory, 'train-encodings.npy')),
    trainLabels: labels('train-labels.npy'),
    test: await readMatrix(join(directory, 'test-encodings.npy')),
    testLabels: labels('test-labels.npy'),
  };
}

/** `components`: the encodings are projected to so many principal components of the key rows. */
export function cifarModel(directory, test, { components, ...changes } = {}) {
  const file = join(directory, 'test-encodings.npy');
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  const fitted = components && fitProjection(firstRows(test, KEY_ROWS), 'sqrt', components);
  const configuration = parseConfiguration({
    name: 'cifar10',
    classes: CLASSES,
    encoder: {
      kind: 'identity',
      dimension: 768,
      scale: fitted ? fitted.scale : 127 / 2.45,
      transform: 'sqrt',
      ...(fitted && { projection: { file: 'fitted', sha256: '0'.repeat(64), offset: true } }),
    },
    keys: { kind: 'reference', file, sha256 },
    adapters: 1000,
    activated: 10,
    adapter: { kind: 'least-squares', lambda: 0.1 },
    ...changes,
  });
  const files = {
    ...(configuration.keys.kind === 'reference' && {
      keys: firstRows(test, configuration.adapters),
    }),
    ...(fitted && { projection: fitted.matrix }),
  };
  return { model: createModel(configuration, files), files };
}

const firstRows = ({ columns, values }, rows) => ({
  rows,
  columns,
  values: values.slice(0, rows * columns),
});

/** int8 [rows, dimension] of a matrix. */
export function encode(model, { rows, columns, values }) {
  const { dimension } = model.shape;
  const out = new Int8Array(rows * dimension);
  for (let i = 0; i < rows; i++) {
    out.set(
      quantise(model.quantiser, values.subarray(i * columns, (i + 1) * columns)),
      i * dimension,
    );
  }
  return out;
}

/** All training samples into the log, as `train-0` and so on. */
export async function ingestCifar({ log, settings }, model, { train, trainLabels }) {
  for (let from = 0; from < train.rows; from += 2000) {
    const records = Array.from({ length: Math.min(2000, train.rows - from) }, (_, j) => {
      const i = from + j;
      const encoding = train.values.subarray(i * train.columns, (i + 1) * train.columns);
      const label = CLASSES[trainLabels[i]];
      return toRecord(model, { kind: 'sample', sampleId: `train-${i}`, label, encoding });
    });
    await log.append(settings.topics.sampleEvents, records);
  }
}

/** The embedded default in a directory of its own; `close` removes it. */
export async function openBench(model, files) {
  const directory = await temporaryDirectory('legonet-bench-');
  const settings = readSettings({ LEGONET_DATA_DIR: directory.path });
  const stores = await openStores(settings);
  await saveModel(stores.database, model, files);
  const service = await openService({ ...stores, logger: pino({ level: 'silent' }) });
  const close = async () => {
    await service.close();
    await stores.close();
    await directory.remove();
  };
  return { stores, service, close };
}

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
export const seconds = (since) => (performance.now() - since) / 1000;
