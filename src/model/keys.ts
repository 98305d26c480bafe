import { createCipheriv, createHash } from 'node:crypto';
import { LegonetError } from '../errors.js';
import type { ModelConfiguration } from './configuration.js';
import { checkInt8, type Quantiser, quantise, toInt8 } from './quantise.js';

type RandomKeys = Extract<ModelConfiguration['keys'], { kind: 'random' }>;

const DRAWS = 12;
const BYTES_PER_VALUE = 2 * DRAWS;

/**
 * Adapter keys drawn from a seed, int8 [adapters, dimension]: center + spread · z, z near normal
 * with mean 0 and variance 1.
 *
 * z is a sum of twelve uniforms (Irwin-Hall) over an AES-256-CTR key stream: exact arithmetic, where
 * Math.log and Math.cos may differ between engines.
 */
export function randomKeys(keys: RandomKeys, adapters: number, dimension: number): Int8Array {
  const center = vector(keys.center ?? 0, dimension, 'keys.center');
  const spread = vector(keys.spread ?? 64, dimension, 'keys.spread');
  const seed = createHash('sha256').update(`legonet.random-keys.v1\n${keys.seed}`).digest();
  const stream = createCipheriv('aes-256-ctr', seed, Buffer.alloc(16));
  const out = new Int8Array(adapters * dimension);
  for (let adapter = 0; adapter < adapters; adapter++) {
    const bytes = stream.update(Buffer.alloc(dimension * BYTES_PER_VALUE));
    for (let i = 0; i < dimension; i++) {
      let sum = 0;
      for (let k = 0; k < DRAWS; k++) sum += bytes.readUInt16LE(i * BYTES_PER_VALUE + 2 * k);
      const z = (sum - DRAWS * 32767.5) / 65536;
      out[adapter * dimension + i] = toInt8((center[i] ?? 0) + (spread[i] ?? 0) * z);
    }
  }
  return out;
}

/**
 * Keys from a public reference set: its first rows, encoded as samples are. int8 [adapters, dimension].
 * Throws `invalid_model` when there are too few rows, or one cannot be encoded.
 */
export function referenceKeys(
  rows: Iterable<ArrayLike<number>>,
  quantiser: Quantiser,
  adapters: number,
): Int8Array {
  const out = new Int8Array(adapters * quantiser.dimension);
  let taken = 0;
  for (const row of rows) {
    if (taken === adapters) break;
    out.set(encodeKey(quantiser, row, taken), taken * quantiser.dimension);
    taken++;
  }
  if (taken === adapters) return out;
  throw new LegonetError(
    'invalid_model',
    `keys.file has ${taken} rows, fewer than the ${adapters} adapters`,
  );
}

function encodeKey(quantiser: Quantiser, row: ArrayLike<number>, index: number): Int8Array {
  try {
    return row instanceof Int8Array ? checkInt8(quantiser, row) : quantise(quantiser, row);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LegonetError('invalid_model', `keys.file, row ${index}: ${reason}`, 'terminal', {
      cause,
    });
  }
}

function vector(value: number | readonly number[], dimension: number, name: string): Float64Array {
  if (typeof value === 'number') return new Float64Array(dimension).fill(value);
  if (value.length === dimension) return Float64Array.from(value);
  throw new LegonetError('invalid_model', `${name} has ${value.length} numbers, not ${dimension}`);
}
