import { activate, keyOf, keysOf } from './activation.js';
import { fitAdapter, type Weights, weightsBytes, weightsDigest } from './adapter.js';
import { withKeysFrom } from './anchors.js';
import type { AdapterSettings } from './configuration.js';
import { modelDigest } from './digest.js';
import type { Kernel } from './kernel.js';
import { joinKey } from './keyed.js';
import type { Model } from './model.js';
import { fitSoftmax } from './softmax.js';
import type { Rows, Shape } from './statistics.js';
import type { Trainer } from './trainer.js';

/** What is built: weights digest and bytes per adapter, and the digest over all of them. */
export type BuiltModel = {
  readonly modelDigest: string;
  readonly adapters: readonly BuiltAdapter[];
};

export type BuiltAdapter = {
  readonly members: number;
  readonly digest: string;
  readonly bytes: Uint8Array;
};

/**
 * build(configuration, S): the definition of the model (design: the exactness equation). A pure
 * function of the set of retained samples, their ids included where keys are samples; everything incremental
 * must give the same digest. Softmax adapters take a `trainer`, and the function is one for each backend.
 */
export function buildModel(
  kernel: Kernel,
  model: Model,
  samples: Rows,
  trainer: Trainer | null = null,
): BuiltModel {
  const steps = buildSteps(kernel, model, samples, trainer);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, yielding how many adapters are built after each, to whom has other things to do between. */
export function* buildSteps(
  kernel: Kernel,
  model: Model,
  samples: Rows,
  trainer: Trainer | null = null,
): Generator<number, BuiltModel> {
  const adapters: BuiltAdapter[] = [];
  const keyed = withKeysFrom(model, samples);
  for (const rows of membersByAdapter(kernel, keyed, samples)) {
    const members = gather(samples, rows, model.shape.dimension);
    const key = model.keys ? null : keyOf(keysOf(keyed), adapters.length);
    adapters.push(buildAdapter(kernel, model, members, { key, trainer }));
    yield adapters.length;
  }
  const digests = adapters.map((adapter) => adapter.digest);
  return { modelDigest: modelDigest(model.digest, digests), adapters };
}

/** What an adapter may take besides its members: its key, where that is part of it; what trains softmax. */
export type AdapterParts = { readonly key?: Int8Array | null; readonly trainer?: Trainer | null };

/** One adapter from its members alone, and from its key if that is part of it. */
export function buildAdapter(
  kernel: Kernel,
  { shape, configuration }: Model,
  members: Rows,
  { key = null, trainer = null }: AdapterParts = {},
): BuiltAdapter {
  const weights = fitMembers(kernel, trainer, shape, configuration.adapter, members);
  return builtAdapter(members.labels.length, weights, key);
}

/** The weights of any kind of adapter. Softmax takes a trainer. */
export function fitMembers(
  kernel: Kernel,
  trainer: Trainer | null,
  shape: Shape,
  settings: AdapterSettings,
  members: Rows,
): Weights {
  if (settings.kind === 'least-squares') return fitAdapter(kernel, shape, settings.lambda, members);
  if (trainer) return fitSoftmax(kernel, trainer, shape, settings, members);
  throw new TypeError('softmax adapters take a trainer');
}

export function builtAdapter(
  members: number,
  weights: Weights,
  key: Int8Array | null = null,
): BuiltAdapter {
  const bytes = joinKey(weightsBytes(weights), key);
  return { members, digest: weightsDigest(bytes), bytes };
}

/** Row numbers of each adapter's members, by the model's keys. */
export function membersByAdapter(kernel: Kernel, model: Model, samples: Rows): number[][] {
  const { adapters, activated } = model.configuration;
  const members: number[][] = Array.from({ length: adapters }, () => []);
  const { encodings, labels } = samples;
  const active = activate(kernel, keysOf(model), encodings, labels.length, activated);
  active.forEach((adapter, i) => {
    members[adapter]?.push(Math.floor(i / activated));
  });
  return members;
}

function gather(samples: Rows, rows: readonly number[], dimension: number): Rows {
  const encodings = new Int8Array(rows.length * dimension);
  rows.forEach((from, to) => {
    encodings.set(
      samples.encodings.subarray(from * dimension, (from + 1) * dimension),
      to * dimension,
    );
  });
  return { encodings, labels: rows.map((row) => samples.labels[row] ?? 0) };
}
