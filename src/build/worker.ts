import { workerData } from 'node:worker_threads';
import { loadWasmKernel } from '../kernel/wasm.js';
import { activate, keysOf } from '../model/activation.js';
import type { BuiltAdapter } from '../model/build.js';
import { type Placing, place } from '../model/placing.js';
import type { Trainer } from '../model/trainer.js';
import { type Outcome, settle } from '../outcome.js';
import type { AdapterTask } from './adapter.js';
import { KeepWhenTold } from './keep-later.js';
import { OwnConnections } from './own-connections.js';
import { buildInSnapshot, keep } from './snapshot.js';
import type { ThreadData } from './threads.js';

/*
 * Runs in a worker thread: everything heavy is done here, so that nothing else in the process waits.
 * A thread has one kernel, a connection for each of its tasks, and for softmax adapters one engine, for as long as
 * it lives.
 */

const { url, keys, activated, training, keeping } = workerData as ThreadData;
const kernel = loadWasmKernel();
const connections = new OwnConnections(url);
const later = new KeepWhenTold(keeping, (statistics) =>
  connections.use((client) => keep(client, statistics)),
);
let opened: Promise<Trainer | null> | undefined;

/** Only for builds: TensorFlow takes half a second and 230 MB, and activating needs none of it. */
const trainer = (): Promise<Trainer | null> => {
  opened ??= openTrainer();
  return opened;
};

async function openTrainer(): Promise<Trainer | null> {
  if (!training) return null;
  const { openPinned } = await import('../engine/trainer.js');
  return openPinned(training.asked, training.pinned);
}

/** Nearest adapters of each encoding; see `activate`. */
export function activateBatch(batch: {
  encodings: Int8Array;
  count: number;
}): Promise<Outcome<Int32Array>> {
  return settle(async () =>
    activate(await kernel, keysOf({ keys }), batch.encodings, batch.count, activated),
  );
}

/** Adapters by the keys of now; see `place`. */
export function placeBatch(placing: Placing): Promise<Outcome<Int32Array>> {
  return settle(async () => place(await kernel, placing, activated));
}

/** Resolves when this thread has all that a build takes. */
export function ready(): Promise<Outcome<void>> {
  return settle(async () => {
    await kernel;
    await trainer();
    await connections.use(async () => {});
  });
}

/** Builds one adapter from the build's snapshot; see `buildInSnapshot`. */
export function buildAdapter(task: {
  adapter: AdapterTask;
  snapshot: string;
}): Promise<Outcome<BuiltAdapter>> {
  const { adapter, snapshot } = task;
  return settle(() =>
    connections.use(async (client) => {
      const result = await buildInSnapshot(
        client,
        await kernel,
        await trainer(),
        adapter,
        snapshot,
      );
      if (result.keeping) later.add(result.keeping);
      return result.built;
    }),
  );
}
