import { activate } from '../model/activation.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import { keysOf, type Model } from '../model/model.js';
import { type Placing, place } from '../model/placing.js';
import type { AdapterTask } from './adapter.js';
import { OwnConnection } from './own-connection.js';
import { buildInSnapshot } from './snapshot.js';

/** Where the arithmetic is done: in worker threads, or in line where a thread would not pay. */
export interface Compute {
  /** Adapter ids [count, activated] of `encodings` int8 [count, dimension], nearest first; where keys are no samples. */
  activate(encodings: Int8Array, count: number): Promise<Int32Array>;
  /** Adapter ids [count, activated] by the keys that samples give now. */
  place(placing: Placing): Promise<Int32Array>;
  /** Builds one adapter as of an exported snapshot. */
  build(task: AdapterTask, snapshot: string): Promise<BuiltAdapter>;
  /** How many adapters it builds at a time. */
  readonly parallel: number;
  /** Resolves when the next build can begin at once. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Everything on the calling thread, with any kernel. */
export function inlineCompute(url: string, kernel: Kernel, model: Model): Compute {
  const connection = new OwnConnection(url);
  const ready = () => connection.use(async () => {});
  // Made while there is something else to do yet; who needs it hears of a failure.
  ready().catch(() => {});
  let last: Promise<unknown> = Promise.resolve();
  return {
    activate: async (encodings, count) =>
      activate(kernel, keysOf(model), encodings, count, model.configuration.activated),
    place: async (placing) => place(kernel, placing, model.configuration.activated),
    build: async (task, snapshot) => {
      // One connection, so one build after the other.
      const result = last.then(() =>
        connection.use((client) => buildInSnapshot(client, kernel, task, snapshot)),
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
