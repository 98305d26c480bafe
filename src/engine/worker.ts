import { workerData } from 'node:worker_threads';
import { type Outcome, settle } from '../outcome.js';
import { describeEngine } from './describe.js';
import type { EngineDescription, Images } from './engine.js';
import type { EncoderThread } from './image-encoder.js';
import { loadImageModel } from './image-model.js';
import { openTensorFlow } from './tensorflow.js';

/*
 * Runs in a worker thread: TensorFlow blocks the thread that it runs in. A thread has one model for as
 * long as it lives.
 */

const { engine, model, options } = workerData as EncoderThread;
const opened = openTensorFlow(engine);
const loaded = opened.then((one) => loadImageModel(one, model, options));
// Whoever calls is told; until then nobody asks.
loaded.catch(() => {});

/** What the thread runs on, and numbers to an encoding. */
export function describe(): Promise<
  Outcome<{ readonly description: EngineDescription; readonly dimension: number }>
> {
  return settle(async () => {
    const { dimension } = await loaded;
    return { description: describeEngine(await opened), dimension };
  });
}

/** See `ImageEncoder`. */
export function encode(images: Images): Promise<Outcome<Float32Array>> {
  return settle(async () => (await loaded).encode(images));
}
