import { activate, type Keys } from './activation.js';
import type { Kernel } from './kernel.js';

/** Samples, and their adapters by the keys of before, nearest first; -1 for one that has none yet. */
export type Placing = {
  /** int8 [count, dimension] */
  readonly encodings: Int8Array;
  readonly count: number;
  /** [count, activated] */
  readonly current: Int32Array;
  /** The keys of now, and which of them are others than before. */
  readonly keys: Keys;
  readonly changed: Int32Array;
};

/**
 * What `activate` gives by the keys of now, [count, activated]. A sample keeps its adapters if none of them has
 * another key, and none of the new keys is nearer than its last one: with few of these, that is all to look at.
 */
export function place(kernel: Kernel, placing: Placing, activated: number): Int32Array {
  const { encodings, count, current, keys, changed } = placing;
  const { dimension } = keys;
  const isMost = changed.length * 2 > keys.adapters;
  if (isMost) return activate(kernel, keys, encodings, count, activated);
  const affected = affectedRows(kernel, placing, activated);
  const rows = new Int8Array(affected.length * dimension);
  affected.forEach((from, to) => {
    rows.set(encodings.subarray(from * dimension, (from + 1) * dimension), to * dimension);
  });
  const found = activate(kernel, keys, rows, affected.length, activated);
  const placed = Int32Array.from(current);
  affected.forEach((row, i) => {
    placed.set(found.subarray(i * activated, (i + 1) * activated), row * activated);
  });
  return placed;
}

function affectedRows(
  kernel: Kernel,
  { encodings, count, current, keys, changed }: Placing,
  activated: number,
): number[] {
  const { adapters, dimension, squares, values } = keys;
  const isChanged = new Uint8Array(adapters);
  for (const adapter of changed) isChanged[adapter] = 1;
  const newKeys = new Int8Array(changed.length * dimension);
  changed.forEach((adapter, i) => {
    const key = values.subarray(adapter * dimension, (adapter + 1) * dimension);
    newKeys.set(key, i * dimension);
  });
  const products =
    changed.length > 0
      ? kernel.products(encodings, count, newKeys, changed.length, dimension)
      : new Int32Array();
  const affected: number[] = [];
  for (let row = 0; row < count; row++) {
    const own = current.subarray(row * activated, (row + 1) * activated);
    if (own.some((adapter) => adapter < 0 || isChanged[adapter] === 1)) {
      affected.push(row);
      continue;
    }
    const last = own[activated - 1] as number;
    const farthest =
      (squares[last] as number) - 2 * product(encodings, row, values, last, dimension);
    const comes = changed.some((adapter, i) => {
      const product = products[row * changed.length + i] as number;
      const distance = (squares[adapter] as number) - 2 * product;
      return distance < farthest || (distance === farthest && adapter < last);
    });
    if (comes) affected.push(row);
  }
  return affected;
}

function product(a: Int8Array, i: number, b: Int8Array, j: number, length: number): number {
  let sum = 0;
  for (let k = 0, p = i * length, q = j * length; k < length; k++, p++, q++) {
    sum += (a[p] as number) * (b[q] as number);
  }
  return sum;
}
