import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LegonetError } from '../../errors.js';
import type { Matrix } from '../../model/model.js';
import { fileSize, notFound } from './chunks.js';
import { describe } from './npy-file.js';
import { headerBounds, malformed, parseHeader } from './npy-header.js';
import { decodeNumbers, NUMBER_TYPES } from './npy-values.js';

/** A matrix is held in memory as a whole, unlike the samples. */
const MATRIX_BYTES = 1024 * 1024 * 1024;

/** Reads a 2-D .npy of type f2, f4, f8, i1 or u1. Throws as openNpy does. */
export async function readMatrix(path: string): Promise<Matrix> {
  return parseMatrix(await readWhole(path), path);
}

/** As readMatrix, for a file that a digest pins. Throws `digest_mismatch` as well. */
export async function readMatrixFile(path: string, sha256: string): Promise<Matrix> {
  const bytes = await readWhole(path);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual === sha256) return parseMatrix(bytes, path);
  throw new LegonetError(
    'digest_mismatch',
    `${path}: SHA-256 is ${actual}, expected ${sha256}: not the file that the model names`,
  );
}

async function readWhole(path: string): Promise<Buffer> {
  const size = await fileSize(path);
  if (size > MATRIX_BYTES) {
    throw new LegonetError('input_unsupported', `${path}: larger than ${MATRIX_BYTES} bytes`);
  }
  return readFile(path).catch((cause) => {
    throw notFound(path, cause);
  });
}

function parseMatrix(bytes: Buffer, path: string): Matrix {
  const { start, end } = headerBounds(bytes, path);
  const header = parseHeader(bytes.toString('utf8', start, end), path);
  const shape = { dimensions: 2, types: NUMBER_TYPES } as const;
  const file = describe(header, shape, { path, size: bytes.length, dataStart: end });
  if (file.rows === 0) throw malformed(path, 'no rows');
  const data = new Uint8Array(bytes.length - end);
  data.set(bytes.subarray(end));
  const values = decodeNumbers(data.buffer, file.type, file.littleEndian);
  return {
    rows: file.rows,
    columns: file.columns,
    values: values instanceof Uint8Array ? new Float32Array(values) : values,
  };
}
