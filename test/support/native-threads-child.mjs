// Opens the native engine as it is told to, and lets two more threads meet each name of an attribute at once.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { threadCompute } from '#src/build/threads.js';
import { openImageEncoder } from '#src/engine/image-encoder.js';
import { ATTRIBUTES, nativeBinding } from '#src/engine/native.js';

/** Each ends with an error that the thread throws when its engine is open. */
const OPENERS = {
  encoder: () => openImageEncoder('native', { manifest: {}, weights: new Uint8Array(0) }, {}),
  trainer: async () => {
    const model = { keys: null, configuration: { activated: 1 } };
    const compute = threadCompute('', model, { asked: 'native', pinned: {} }, 1);
    await compute.ready().finally(() => compute.close());
  },
};

if (isMainThread) {
  const thrown = await OPENERS[process.argv[2]]().catch((error) => error);
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const threads = [0, 1].map(() => new Worker(import.meta.filename, { workerData: arrived }));
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  console.log(thrown.code);
} else {
  const binding = createRequire(import.meta.url)(nativeBinding());
  for (const [i, name] of ATTRIBUTES.entries()) {
    Atomics.add(workerData, 0, 1);
    while (Atomics.load(workerData, 0) < 2 * (i + 1));
    try {
      binding.executeOp('NoOp', [{ name, type: -1, value: 0 }], [], 0);
    } catch {
      // There is no such type: nothing is run.
    }
  }
}
