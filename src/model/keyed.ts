import { type Keys, prepareKeys } from './activation.js';
import { readWeights, type Weights } from './adapter.js';
import type { Model } from './model.js';
import { type Shape, unknowns } from './statistics.js';

/*
 * Where keys are samples (`anchors`), an adapter's bytes are its weights and then its key, int8 [dimension], if it
 * has one. So digest, erasure and delivery are of both. Elsewhere its bytes are its weights.
 */

/** An adapter, read from its bytes. `key` is null, too, where keys are no samples. */
export type KeyedAdapter = { readonly weights: Weights; readonly key: Int8Array | null };

/** Bytes of weights alone. */
export const weightsLength = (shape: Shape): number => 4 * unknowns(shape) * shape.classes;

export function joinKey(weights: Uint8Array, key: Int8Array | null): Uint8Array {
  if (!key) return weights;
  const bytes = new Uint8Array(weights.length + key.length);
  bytes.set(weights);
  bytes.set(new Uint8Array(key.buffer, key.byteOffset, key.length), weights.length);
  return bytes;
}

/** Whether an adapter of this model may have so many bytes. */
export function isAdapterLength({ configuration, shape }: Model, length: number): boolean {
  const plain = weightsLength(shape);
  const keyed = plain + shape.dimension;
  return length === plain || (configuration.keys.kind === 'anchors' && length === keyed);
}

/** Inverse of `joinKey`, in buffers of their own. */
export function readAdapter({ shape }: Model, bytes: Uint8Array): KeyedAdapter {
  const length = weightsLength(shape);
  return {
    weights: readWeights(bytes.subarray(0, length)),
    key: bytes.length > length ? new Int8Array(bytes.subarray(length)) : null,
  };
}

/** The model with the keys that its adapters carry, in order of id; with its own where keys are no samples. */
export function withKeysOf(model: Model, adapters: readonly Pick<KeyedAdapter, 'key'>[]): Model {
  if (model.configuration.keys.kind !== 'anchors') return model;
  return {
    ...model,
    keys: joinKeys(
      adapters.map(({ key }) => key),
      model.shape,
    ),
  };
}

/** Keys from one of each adapter; null for those that have none. */
export function joinKeys(
  keys: readonly (Int8Array | null)[],
  { dimension }: Pick<Shape, 'dimension'>,
): Keys {
  const values = new Int8Array(keys.length * dimension);
  keys.forEach((key, adapter) => {
    if (key) values.set(key, adapter * dimension);
  });
  return prepareKeys(values, keys.length, dimension, (adapter) => keys[adapter] != null);
}
