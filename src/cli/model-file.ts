import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LegonetError } from '../errors.js';
import { type ModelConfiguration, parseConfiguration } from '../model/configuration.js';
import { type EncoderFiles, encoderFilesDigest } from '../model/encoder-files.js';
import { createModel, type Matrix, type Model, type ModelFiles } from '../model/model.js';
import { readEncoderFiles } from './encoder-files.js';
import { notFound } from './input/chunks.js';
import { readMatrixFile } from './input/matrix.js';
import { parseJson } from './json.js';

/**
 * Reads MODEL.json and the files it names, relative to it. Throws `input_not_found`,
 * `invalid_model`, `digest_mismatch`, and as readMatrix does.
 */
export async function readModelFile(
  path: string,
): Promise<{ readonly model: Model; readonly files: ModelFiles }> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw notFound(path, cause);
  });
  const configuration = parseConfiguration(parseJson(text, path, 'invalid_model'));
  const files = await readFiles(configuration, dirname(path));
  return { model: createModel(configuration, files), files };
}

async function readFiles(
  { keys, encoder, adapters }: ModelConfiguration,
  folder: string,
): Promise<ModelFiles> {
  const read = (pinned: { file: string; sha256: string }) =>
    readMatrixFile(resolve(folder, pinned.file), pinned.sha256);
  return {
    ...(keys.kind === 'reference' && { keys: firstRows(await read(keys), adapters) }),
    ...(encoder.projection && { projection: await read(encoder.projection) }),
    ...(encoder.kind === 'tfjs' && { encoder: await readPinned(encoder, folder) }),
  };
}

async function readPinned(
  { file, sha256 }: { readonly file: string; readonly sha256: string },
  folder: string,
): Promise<EncoderFiles> {
  const path = resolve(folder, file);
  const files = await readEncoderFiles(path);
  const actual = encoderFilesDigest(files);
  if (actual === sha256) return files;
  throw new LegonetError(
    'digest_mismatch',
    `${path}: SHA-256 with its weights is ${actual}, expected ${sha256}: not the encoder that the model names`,
  );
}

/** A copy: a view would keep all of a large reference set in memory. */
function firstRows({ rows, columns, values }: Matrix, count: number): Matrix {
  const taken = Math.min(rows, count);
  return { rows: taken, columns, values: values.slice(0, taken * columns) };
}
