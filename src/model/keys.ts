import { LegonetError } from '../errors.js';
import type { ModelConfiguration } from './configuration.js';
import { drawsFrom, nearNormals } from './draws.js';
import { checkInt8, type Quantiser, quantise, toInt8 } from './quantise.js';

type RandomKeys = Extract<ModelConfiguration['keys'], { kind: 'random' }>;

/**
 * Adapter keys drawn from a seed, int8 [adapters, dimension]: center + spread · z, z near normal
 * with mean 0 and variance 1.
 */
export function randomKeys(keys: RandomKeys, adapters: number, dimension: number): Int8Array {
  const center = vector(keys.center ?? 0, dimension, 'keys.center');
  const spread = vector(keys.spread ?? 64, dimension, 'keys.spread');
  const draw = drawsFrom(`legonet.random-keys.v1\n${keys.seed}`);
  const out = new Int8Array(adapters * dimension);
  for (let adapter = 0; adapter < adapters; adapter++) {
    nearNormals(draw, dimension).forEach((z, i) => {
      out[adapter * dimension + i] = toInt8((center[i] ?? 0) + (spread[i] ?? 0) * z);
    });
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
