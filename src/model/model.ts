import { LegonetError } from '../errors.js';
import { type Keys, prepareKeys } from './activation.js';
import { littleEndian } from './bytes.js';
import {
  configurationDigest,
  encoderDigest,
  LIMITS,
  type ModelConfiguration,
  smallestLambda,
} from './configuration.js';
import type { EncoderFiles } from './encoder-files.js';
import { randomKeys, referenceKeys } from './keys.js';
import type { Projection, Quantiser } from './quantise.js';
import { type Shape, unknowns } from './statistics.js';

/** A matrix as a file gives it: row-major [rows, columns]. */
export type Matrix = {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array | Float32Array | Int8Array;
};

/** A configuration with everything that its files say: all that `build` needs besides the samples. */
export type Model = {
  readonly configuration: ModelConfiguration;
  readonly digest: string;
  /** Of the encoder's part of the configuration. */
  readonly encoderDigest: string;
  readonly quantiser: Quantiser;
  /** Null: they follow from the samples (`anchors`). */
  readonly keys: Keys | null;
  readonly shape: Shape;
  readonly classIndex: ReadonlyMap<string, number>;
};

/** What the configuration's files hold, read and checked against their digests by the caller. */
export type ModelFiles = {
  readonly keys?: Matrix;
  readonly projection?: Matrix;
  /** Of a tfjs encoder. */
  readonly encoder?: EncoderFiles;
};

/** Puts a model together. Throws `invalid_model` when files and configuration do not fit. */
export function createModel(configuration: ModelConfiguration, files: ModelFiles): Model {
  const quantiser = createQuantiser(configuration, files.projection);
  const { adapter, adapters, classes } = configuration;
  const shape = { dimension: quantiser.dimension, classes: classes.length };
  const least = smallestLambda(unknowns(shape));
  if (adapter.kind === 'least-squares' && adapter.lambda < least) {
    throw new LegonetError(
      'invalid_model',
      `adapter.lambda: at least ${least.toExponential(1)} at dimension ${shape.dimension}`,
    );
  }
  const values = createKeys(configuration, quantiser, files.keys);
  return {
    configuration,
    digest: configurationDigest(configuration),
    encoderDigest: encoderDigest(configuration),
    quantiser,
    keys: values && prepareKeys(values, adapters, shape.dimension),
    shape,
    classIndex: new Map(classes.map((name, index) => [name, index])),
  };
}

/** The files' content from their stored bytes: keys int8, the projection float64 little-endian. */
export function storedFiles(
  { encoder, adapters }: ModelConfiguration,
  stored: { readonly keys: Uint8Array | null; readonly projection: Uint8Array | null },
): ModelFiles {
  const columns = projectionColumns(encoder);
  const floats = stored.projection && littleEndian(Uint8Array.from(stored.projection), 8);
  const values = floats && new Float64Array(floats.buffer);
  const projection: Matrix | null = values && { rows: values.length / columns, columns, values };
  const keys: Matrix | null = stored.keys && {
    rows: adapters,
    columns: stored.keys.length / adapters,
    values: Int8Array.from(stored.keys),
  };
  return { ...(keys && { keys }), ...(projection && { projection }) };
}

/** Of the projection's matrix: with an offset, it is the last column. */
const projectionColumns = ({ dimension, projection }: ModelConfiguration['encoder']): number =>
  dimension + (projection?.offset ? 1 : 0);

function createQuantiser({ encoder }: ModelConfiguration, file?: Matrix): Quantiser {
  const { dimension: inputDimension, scale, transform = 'none' } = encoder;
  if (!encoder.projection) return { inputDimension, dimension: inputDimension, scale, transform };
  const columns = projectionColumns(encoder);
  if (file?.columns !== columns) {
    throw invalidProjection(`${file?.columns ?? 0} columns, not ${columns}`);
  }
  const { rows, values } = file;
  if (rows < 1 || rows > LIMITS.dimension) {
    throw invalidProjection(`${rows} rows, not 1 to ${LIMITS.dimension}`);
  }
  if (!values.every(Number.isFinite)) throw invalidProjection('every number must be finite');
  const offset = new Float64Array(rows);
  const matrix = new Float64Array(rows * inputDimension);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    matrix.set(row.subarray(0, inputDimension), i * inputDimension);
    offset[i] = row[inputDimension] ?? 0;
  }
  const projection = { matrix, offset };
  return { inputDimension, dimension: rows, scale, transform, projection };
}

/** The matrix that a projection came from, as `storedFiles` takes it. */
export function projectionMatrix(
  { matrix, offset }: Projection,
  encoder: ModelConfiguration['encoder'],
): Matrix & { readonly values: Float64Array } {
  const columns = projectionColumns(encoder);
  const values = new Float64Array(offset.length * columns);
  offset.forEach((last, i) => {
    const row = matrix.subarray(i * encoder.dimension, (i + 1) * encoder.dimension);
    values.set(row, i * columns);
    if (columns > encoder.dimension) values[(i + 1) * columns - 1] = last;
  });
  return { rows: offset.length, columns, values };
}

const invalidProjection = (reason: string): LegonetError =>
  new LegonetError('invalid_model', `encoder.projection: ${reason}`);

function createKeys(
  { keys, adapters }: ModelConfiguration,
  quantiser: Quantiser,
  file?: Matrix,
): Int8Array | null {
  if (keys.kind === 'anchors') return null;
  if (keys.kind === 'random') return randomKeys(keys, adapters, quantiser.dimension);
  const expected =
    file?.values instanceof Int8Array ? quantiser.dimension : quantiser.inputDimension;
  if (file?.columns !== expected) {
    throw new LegonetError(
      'invalid_model',
      `keys.file: ${file?.columns ?? 0} columns, not ${expected}`,
    );
  }
  return referenceKeys(rowsOf(file), quantiser, adapters);
}

function* rowsOf({
  rows,
  columns,
  values,
}: Matrix): Iterable<Float64Array | Float32Array | Int8Array> {
  for (let i = 0; i < rows; i++) yield values.subarray(i * columns, (i + 1) * columns);
}
