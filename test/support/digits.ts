import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { buildModel } from '#src/model/build.js';
import { type ModelConfiguration, parseConfiguration } from '#src/model/configuration.js';
import type { Kernel } from '#src/model/kernel.js';
import { createModel, type Model } from '#src/model/model.js';
import { predict } from '#src/model/predict.js';
import { quantise } from '#src/model/quantise.js';
import type { Rows } from '#src/model/statistics.js';

export const DIGITS = new URL('../../examples/digits/', import.meta.url);
const PIXELS = 64;
const NPY_HEADER = 128;

export type Digit = { readonly label: string; readonly pixels: readonly number[] };

/** The columns by name, as the example's README describes them. */
export function readDigits(file: 'stream.csv.gz' | 'test.csv.gz'): Digit[] {
  const text = gunzipSync(readFileSync(new URL(file, DIGITS))).toString('utf8');
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const values = line.split(',');
    return {
      label: values[names.indexOf('label')] ?? '',
      pixels: values.slice(names.indexOf('p0')).map(Number),
    };
  });
}

/** The example's model with some of its fields changed. */
export function digitsModel(changes: Partial<ModelConfiguration> = {}): Model {
  const json = JSON.parse(readFileSync(new URL('MODEL.json', DIGITS), 'utf8'));
  const pixels = readFileSync(new URL('reference.npy', DIGITS)).subarray(NPY_HEADER);
  const keys = { rows: 100, columns: PIXELS, values: Float64Array.from(pixels) };
  return createModel(parseConfiguration({ ...json, ...changes }), { keys });
}

export function encode(model: Model, digits: readonly Digit[]): Rows {
  const encodings = new Int8Array(digits.length * PIXELS);
  digits.forEach(({ pixels }, i) => {
    encodings.set(quantise(model.quantiser, pixels), i * PIXELS);
  });
  return { encodings, labels: digits.map(({ label }) => model.classIndex.get(label) ?? -1) };
}

/** Share of `test` that a model of `train` labels right, in per cent. */
export function accuracy(
  kernel: Kernel,
  model: Model,
  train: readonly Digit[],
  test: readonly Digit[],
): number {
  const built = buildModel(kernel, model, encode(model, train));
  const weights = built.adapters.map(({ members, bytes }) =>
    members > 0 ? new Float32Array(bytes.slice().buffer) : null,
  );
  const predictions = predict(kernel, model, weights, encode(model, test).encodings, test.length);
  const right = predictions.filter(({ label }, i) => label === test[i]?.label).length;
  return (100 * right) / test.length;
}

/** A fixed order that knows nothing of the file's: by the hash of seed and row. */
export function shuffledByHash(digits: readonly Digit[], seed: number): Digit[] {
  const hash = ({ label, pixels }: Digit): string =>
    createHash('sha256').update(`${seed}:${pixels},${label}`).digest('hex');
  const keyed = digits.map((digit) => ({ digit, hash: hash(digit) }));
  keyed.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return keyed.map(({ digit }) => digit);
}
