import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LegonetError } from '../errors.js';
import { type EncoderFiles, MAX_ENCODER_BYTES, weightGroups } from '../model/encoder-files.js';
import { fileSize, notFound } from './input/chunks.js';

/**
 * Reads a TensorFlow.js model by its model.json, weight files and all. Throws `input_not_found`,
 * `input_malformed`, `input_truncated`, and `input_unsupported` beyond MAX_ENCODER_BYTES.
 */
export async function readEncoderFiles(path: string): Promise<EncoderFiles> {
  const manifest = await readSome(path);
  const groups = weightGroups(manifest, path);
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  if (manifest.length + total > MAX_ENCODER_BYTES) throw tooLarge(path);
  const weights = new Uint8Array(total);
  let at = 0;
  for (const { paths, bytes } of groups) {
    const end = at + bytes;
    for (const name of paths) {
      const file = join(dirname(path), name);
      const part = await readSome(file);
      if (at + part.length > end) throw wrongSize(path, paths, bytes);
      weights.set(part, at);
      at += part.length;
    }
    if (at < end) throw wrongSize(path, paths, bytes);
  }
  return { manifest, weights };
}

async function readSome(path: string): Promise<Uint8Array> {
  if ((await fileSize(path)) > MAX_ENCODER_BYTES) throw tooLarge(path);
  return readFile(path).catch((cause) => {
    throw notFound(path, cause);
  });
}

const tooLarge = (path: string): LegonetError =>
  new LegonetError(
    'input_unsupported',
    `${path}: larger than an encoder may be (${MAX_ENCODER_BYTES} bytes, weights included)`,
  );

const wrongSize = (path: string, paths: readonly string[], bytes: number): LegonetError =>
  new LegonetError(
    'input_truncated',
    `${path}: ${paths.join(', ')} should have ${bytes} bytes; get the model again`,
  );
