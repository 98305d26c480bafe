import { activate } from '../model/activation.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import type { Trainer } from '../model/trainer.js';
import type { AdapterTask } from './adapter.js';
import { OwnConnection } from './own-connection.js';
import { buildInSnapshot } from './snapshot.js';

/** Where the arithmetic is done: in worker threads, or in line where a thread would not pay. */
export interface Compute {
  /** Adapter ids [count, activated] of `encodings` int8 [count, dimension], nearest first. */
  activate(encodings: Int8Array, count: number): Promise<Int32Array>;
  /** Builds one adapter as of an exported snapshot. */
  build(task: AdapterTask, snapshot: string): Promise<BuiltAdapter>;
  /** How many adapters it builds at a time. */
  readonly parallel: number;
  /** Resolves when the next build can begin at once. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Everything on the calling thread, with any kernel; softmax adapters take a trainer. */
export function inlineCompute(
  url: string,
  kernel: Kernel,
  model: Model,
  trainer: Trainer | null = null,
): Compute {
  const connection = new OwnConnection(url);
  const ready = () => connection.use(async () => {});
  // Made while there is something else to do yet; who needs it hears of a failure.
  ready().catch(() => {});
  let last: Promise<unknown> = Promise.resolve();
  return {
    activate: async (encodings, count) =>
      activate(kernel, model.keys, encodings, count, model.configuration.activated),
    build: async (task, snapshot) => {
      // One connection, so one build after the other.
      const result = last.then(() =>
        connection.use((client) => buildInSnapshot(client, kernel, trainer, task, snapshot)),
      );
      last = result.catch(() => {});
      return result;
    },
    parallel: 1,
    ready,
    close: async () => {
      await last;
      await connection.close();
    },
  };
}
