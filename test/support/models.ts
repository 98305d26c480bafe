import { createHash } from 'node:crypto';
import { type ModelConfiguration, parseConfiguration } from '#src/model/configuration.js';
import { createModel, type Model } from '#src/model/model.js';
import type { Rows } from '#src/model/statistics.js';

/** A small valid MODEL.json with random keys; `changes` replaces top-level fields. */
export function configurationJson(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'tiny',
    classes: ['a', 'b', 'c'],
    encoder: { kind: 'identity', dimension: 4, scale: 1 },
    keys: { kind: 'random', seed: 'tiny' },
    adapters: 5,
    activated: 2,
    adapter: { kind: 'least-squares', lambda: 0.01 },
    ...changes,
  };
}

export function configuration(changes: Record<string, unknown> = {}): ModelConfiguration {
  return parseConfiguration(configurationJson(changes));
}

export function tinyModel(changes: Record<string, unknown> = {}): Model {
  return createModel(configuration(changes), {});
}

/** `count` bytes from SHA-256 in counter mode: the same on every machine. */
export function syntheticBytes(seed: string, count: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < count; i++) {
    blocks.push(createHash('sha256').update(`${seed}\n${i}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, count);
}

/** Samples made of such bytes: encodings in -128 ... 127, labels nearly uniform. */
export function syntheticRows(
  seed: string,
  count: number,
  dimension: number,
  classes: number,
): Rows {
  return {
    encodings: Int8Array.from(syntheticBytes(`${seed} encodings`, count * dimension), signed),
    labels: Array.from(syntheticBytes(`${seed} labels`, count), (byte) => byte % classes),
  };
}

const signed = (byte: number): number => (byte << 24) >> 24;

/** The samples in another order, or some of them: row i of the result is row `order[i]`. */
export function pick(rows: Rows, order: readonly number[], dimension: number): Rows {
  const encodings = new Int8Array(order.length * dimension);
  order.forEach((from, to) => {
    encodings.set(
      rows.encodings.subarray(from * dimension, (from + 1) * dimension),
      to * dimension,
    );
  });
  return { encodings, labels: order.map((row) => rows.labels[row] ?? 0) };
}

export function rowsOf(samples: readonly { x: readonly number[]; label: number }[]): Rows {
  return {
    encodings: Int8Array.from(samples.flatMap(({ x }) => x)),
    labels: samples.map(({ label }) => label),
  };
}
