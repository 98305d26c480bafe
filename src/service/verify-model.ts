import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { toHex } from '../audit/bytes.js';
import { type Check, checklist, must } from '../audit/certificate/checklist.js';
import { sampleCommitment } from '../audit/commitment.js';
import type { Replay } from '../audit/replay/verify.js';
import type { Engine } from '../engine/engine.js';
import { type OpenedTrainer, openTrainer } from '../engine/trainer.js';
import { loadWasmKernel } from '../kernel/wasm.js';
import { activate, keysOf } from '../model/activation.js';
import { withKeysFrom } from '../model/anchors.js';
import { type Backend, backendSchema, describeBackend, differences } from '../model/backend.js';
import { type BuiltModel, buildSteps } from '../model/build.js';
import { parseConfiguration } from '../model/configuration.js';
import type { Kernel } from '../model/kernel.js';
import { createModel, type Model, storedFiles } from '../model/model.js';
import type { Rows } from '../model/statistics.js';
import type { Trainer } from '../model/trainer.js';
import { DATA_FILES, readDataSamples } from './audit-data.js';

/*
 * Level 3: the model trained again, from the samples themselves.
 */

export const MODEL_CHECKS = [
  'configuration',
  'openings',
  'activation',
  'backend',
  'model',
] as const;

export type ModelCheckName = (typeof MODEL_CHECKS)[number];

type Found = NonNullable<Replay['found']>;

type Options = {
  /** The engine to train softmax adapters on; by default the one that the data name. */
  readonly engine?: Engine | undefined;
  readonly without?: ReadonlySet<ModelCheckName>;
};

/** The data of `legonet audit data`, against what holds at level 2. Throws the signal's reason only. */
export async function verifyModel(
  directory: string,
  found: Found,
  signal: AbortSignal,
  { engine, without = new Set() }: Options = {},
): Promise<readonly Check[]> {
  const list = checklist(without);
  const kernel = await loadWasmKernel();
  const end = () => list.inOrder(MODEL_CHECKS, 'it needs what failed above');

  const reads = await settle(() => readModel(directory), signal);
  const model = list.value('configuration', reads, ({ digest }) => {
    const own = toHex(found.version.leaf.config);
    must(digest === own, `the configuration has the digest ${digest}, and the version ${own}`);
    return `the configuration has the digest that the version names, ${digest}`;
  });
  if (!model) return end();

  const opens = await settle(() => openSamples(directory, model, found, signal), signal);
  const rows = list.value('openings', opens, ({ labels }) => {
    return `${labels.length} samples open the commitments of the listing, each one`;
  });
  if (!rows) return end();

  list.check('activation', () => {
    checkActivation(kernel, model, rows, found);
    return 'each sample is with the adapters whose keys are nearest';
  });
  const trains = await settle(() => openBackend(directory, model, engine), signal);
  const training = list.value('backend', trains, (opened) => {
    if (!opened) return 'least-squares: the same bits on every machine';
    const { claimed, backend } = opened;
    const differ = differences(claimed, backend);
    must(
      differ === '',
      `this machine's bits and the version's cannot be compared, its backend is another: ${differ}`,
    );
    return `this machine trains on the backend that the version names: ${describeBackend(backend)}`;
  });
  if (training === undefined) return end();
  const trainer = training?.trainer ?? null;
  const builds = await settle(() => build(kernel, model, rows, trainer, signal), signal);
  list.value('model', builds, (built) => sameModel(built, found));
  return end();
}

/** Runs it now, and gives or throws later what came of it; an abort is thrown now. */
async function settle<T>(work: () => Promise<T>, signal: AbortSignal): Promise<() => T> {
  try {
    const value = await work();
    return () => value;
  } catch (error) {
    signal.throwIfAborted();
    return () => {
      throw error;
    };
  }
}

async function readModel(directory: string): Promise<Model> {
  const read = (name: string) => readFile(join(directory, name));
  const configuration = parseConfiguration(
    JSON.parse((await read(DATA_FILES.configuration)).toString('utf8')),
  );
  const { keys, encoder } = configuration;
  const files = {
    keys: keys.kind === 'reference' ? await read(DATA_FILES.keys) : null,
    projection: encoder.projection ? await read(DATA_FILES.projection) : null,
  };
  return createModel(configuration, storedFiles(configuration, files));
}

/** The own backend, and that which the data say the version was trained on; null for least-squares. */
async function openBackend(
  directory: string,
  { configuration }: Model,
  engine: Engine | undefined,
): Promise<(OpenedTrainer & { readonly claimed: Backend }) | null> {
  if (configuration.adapter.kind !== 'softmax') return null;
  const text = await readFile(join(directory, DATA_FILES.backend), 'utf8');
  const claimed = backendSchema.parse(JSON.parse(text));
  return { claimed, ...(await openTrainer(engine, claimed)) };
}

/** Encodings and labels in the rows of the listing. */
async function openSamples(
  directory: string,
  model: Model,
  { log, listed }: Found,
  signal: AbortSignal,
): Promise<Rows> {
  const { dimension } = model.shape;
  const { retained } = listed.head;
  const encodings = new Int8Array(retained * dimension);
  const labels = new Uint16Array(retained);
  const ids = new Array<string>(retained).fill('');
  const seen = new Uint8Array(retained);
  const file = createReadStream(join(directory, DATA_FILES.samples), { highWaterMark: 1 << 20 });
  for await (const sample of readDataSamples(file)) {
    signal.throwIfAborted();
    const { id, label, encoding } = sample;
    const row = log.samples.find(sampleCommitment(sample));
    const listedAt = row < 0 ? -1 : log.samples.marked(row);
    must(listedAt >= 0, `sample ${id} opens no commitment of the listing`);
    must(seen[listedAt] === 0, `sample ${id} comes twice`);
    must(encoding.length === dimension, `sample ${id} has ${encoding.length} dimensions`);
    const index = model.classIndex.get(label);
    must(index !== undefined, `sample ${id} has a label that the model does not know`);
    seen[listedAt] = 1;
    encodings.set(encoding, listedAt * dimension);
    labels[listedAt] = index;
    ids[listedAt] = id;
  }
  const missing = seen.indexOf(0);
  const key = () => toHex(listed.entries.subarray(missing * 64, missing * 64 + 8));
  must(
    missing < 0,
    `a sample of the listing is not in the data: that with the key ${missing < 0 ? '' : key()}…`,
  );
  return { encodings, labels, ids };
}

function checkActivation(kernel: Kernel, model: Model, rows: Rows, { listed }: Found): void {
  const { configuration } = model;
  const { encodings, labels } = rows;
  const keys = keysOf(withKeysFrom(model, rows));
  const { activated } = configuration;
  must(
    activated === listed.head.activated && configuration.adapters === listed.head.adapters.length,
    'the listing has another number of adapters than the configuration',
  );
  const active = activate(kernel, keys, encodings, labels.length, activated);
  const other = active.findIndex((adapter, i) => adapter !== listed.adapters[i]);
  must(other < 0, `the sample in row ${Math.floor(other / activated)} is with other adapters`);
}

async function build(
  kernel: Kernel,
  model: Model,
  rows: Rows,
  trainer: Trainer | null,
  signal: AbortSignal,
): Promise<BuiltModel> {
  const steps = buildSteps(kernel, model, rows, trainer);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    // Signals are heard only between two turns of the event loop.
    await breathe();
    signal.throwIfAborted();
  }
}

function sameModel({ adapters, modelDigest }: BuiltModel, { listed, version }: Found): string {
  adapters.forEach(({ digest }, adapter) => {
    const declared = toHex(listed.head.adapters[adapter]?.weights ?? new Uint8Array());
    must(
      digest === declared,
      `adapter ${adapter}, trained again, has the weights ${digest}, not ${declared}`,
    );
  });
  const own = toHex(version.leaf.model);
  must(modelDigest === own, `trained again, the model is ${modelDigest}, and the version ${own}`);
  return `trained again from the samples, all ${adapters.length} adapters and the model are the same bits: ${own}`;
}
