import type { Kernel } from './kernel.js';

/** The keys of all adapters, int8 [adapters, dimension], with their squared lengths. */
export type Keys = {
  readonly values: Int8Array;
  readonly adapters: number;
  readonly dimension: number;
  readonly squares: Int32Array;
};

export function prepareKeys(values: Int8Array, adapters: number, dimension: number): Keys {
  const squares = new Int32Array(adapters);
  for (let j = 0; j < adapters; j++) {
    let sum = 0;
    for (let i = 0; i < dimension; i++) sum += (values[j * dimension + i] ?? 0) ** 2;
    squares[j] = sum;
  }
  return { values, adapters, dimension, squares };
}

/**
 * The `activated` adapters whose keys are nearest (squared L2) to each of `count` encodings
 * (LegoNet, section 3.2). Returns adapter ids [count, activated], nearest first, ties to the lower
 * id. Exact: |x|² is the same for every key, so |k|² - 2x·k, an integer, decides.
 */
export function activate(
  kernel: Kernel,
  keys: Keys,
  encodings: Int8Array,
  count: number,
  activated: number,
): Int32Array {
  const { adapters, dimension, squares } = keys;
  const products = kernel.products(encodings, count, keys.values, adapters, dimension);
  const out = new Int32Array(count * activated);
  const distance = new Float64Array(activated);
  for (let s = 0; s < count; s++) {
    let found = 0;
    for (let j = 0; j < adapters; j++) {
      const d = (squares[j] ?? 0) - 2 * (products[s * adapters + j] ?? 0);
      if (found === activated && d >= (distance[found - 1] ?? 0)) continue;
      // Insertion from the far end; strict comparison keeps the lower id first among equals.
      let at = found < activated ? found++ : found - 1;
      for (; at > 0 && d < (distance[at - 1] ?? 0); at--) {
        distance[at] = distance[at - 1] ?? 0;
        out[s * activated + at] = out[s * activated + at - 1] ?? 0;
      }
      distance[at] = d;
      out[s * activated + at] = j;
    }
  }
  return out;
}
