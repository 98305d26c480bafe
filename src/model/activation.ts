import type { Kernel } from './kernel.js';

/** The keys of all adapters, int8 [adapters, dimension], with their squared lengths. */
export type Keys = {
  readonly values: Int8Array;
  readonly adapters: number;
  readonly dimension: number;
  /** Infinity for an adapter without key: it is farther than any other. */
  readonly squares: Float64Array;
};

/** The keys, where they are known without samples, or were taken from them already. */
export function keysOf({ keys }: { readonly keys: Keys | null }): Keys {
  if (keys) return keys;
  throw new TypeError('the keys follow from samples');
}

/** `has` tells which adapters have a key: all, by default. Values of the others are to be zeros. */
export function prepareKeys(
  values: Int8Array,
  adapters: number,
  dimension: number,
  has: (adapter: number) => boolean = () => true,
): Keys {
  const squares = new Float64Array(adapters).fill(Number.POSITIVE_INFINITY);
  for (let j = 0; j < adapters; j++) {
    if (!has(j)) continue;
    let sum = 0;
    for (let i = 0; i < dimension; i++) sum += (values[j * dimension + i] ?? 0) ** 2;
    squares[j] = sum;
  }
  return { values, adapters, dimension, squares };
}

/** An adapter's key, int8 [dimension]; null if it has none. */
export function keyOf({ values, dimension, squares }: Keys, adapter: number): Int8Array | null {
  if (squares[adapter] === Number.POSITIVE_INFINITY) return null;
  return values.subarray(adapter * dimension, (adapter + 1) * dimension);
}

/**
 * The `activated` adapters whose keys are nearest (squared L2) to each of `count` encodings
 * (LegoNet, section 3.2). Returns adapter ids [count, activated], nearest first, ties to the lower
 * id, those without key last. Exact: |x|² is the same for every key, so |k|² - 2x·k, an integer, decides.
 */
export function activate(
  kernel: Kernel,
  keys: Keys,
  encodings: Int8Array,
  count: number,
  activated: number,
): Int32Array {
  const out = new Int32Array(count * activated);
  for (let from = 0; from === 0 || from < count; from += PANEL) {
    const to = Math.min(from + PANEL, count);
    // All that is left goes with the last, so that the kernel refuses what is too long.
    const end = to === count ? encodings.length : to * keys.dimension;
    const part = encodings.subarray(from * keys.dimension, end);
    const found = out.subarray(from * activated, to * activated);
    activatePanel(kernel, keys, part, found, activated);
  }
  return out;
}

/** Bounds the distance table to PANEL × adapters. */
const PANEL = 1024;

/** Fills `out` [rows, activated]. */
function activatePanel(
  kernel: Kernel,
  { values, adapters, dimension, squares }: Keys,
  encodings: Int8Array,
  out: Int32Array,
  activated: number,
): void {
  const rows = out.length / activated;
  const products = kernel.products(encodings, rows, values, adapters, dimension);
  const distance = new Float64Array(activated);
  for (let s = 0; s < rows; s++) {
    const nearest = out.subarray(s * activated, (s + 1) * activated);
    // The first ones fill the list; `farthest` then turns nearly all of the others away.
    let farthest = Number.POSITIVE_INFINITY;
    for (let j = 0, at = s * adapters; j < adapters; j++, at++) {
      const d = (squares[j] as number) - 2 * (products[at] as number);
      if (j >= activated && d >= farthest) continue;
      insert(distance, nearest, Math.min(j, activated), d, j);
      if (j >= activated - 1) farthest = distance[activated - 1] as number;
    }
  }
}

/**
 * Inserts into the `found` nearest so far, in order; the last goes when the list is full. Strict
 * comparison keeps the lower id first among equals.
 */
function insert(
  distance: Float64Array,
  nearest: Int32Array,
  found: number,
  d: number,
  adapter: number,
): void {
  let at = Math.min(found, distance.length - 1);
  for (; at > 0 && d < (distance[at - 1] as number); at--) {
    distance[at] = distance[at - 1] as number;
    nearest[at] = nearest[at - 1] as number;
  }
  distance[at] = d;
  nearest[at] = adapter;
}
