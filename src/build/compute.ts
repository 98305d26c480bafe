import type pg from 'pg';
import { activate } from '../model/activation.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import { keysOf, type Model } from '../model/model.js';
import { type Placing, place } from '../model/placing.js';
import type { Trainer } from '../model/trainer.js';
import type { AdapterTask } from './adapter.js';
import { OwnConnections } from './own-connections.js';
import { buildInSnapshot, keep } from './snapshot.js';

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
  /** Resolves when the statistics of what was built are kept. */
  kept(): Promise<void>;
  close(): Promise<void>;
}

/** Everything on the calling thread, with any kernel; softmax adapters take a trainer. */
export function inlineCompute(
  url: string,
  kernel: Kernel,
  model: Model,
  trainer: Trainer | null = null,
): Compute {
  const connections = new OwnConnections(url);
  let last: Promise<unknown> = Promise.resolve();
  // One connection, so one piece of work after the other.
  const inTurn = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const result = last.then(() => connections.use(work));
    last = result.catch(() => {});
    return result;
  };
  const ready = () => inTurn(async () => {});
  // Made while there is something else to do yet; who needs it hears of a failure.
  ready().catch(() => {});
  return {
    activate: async (encodings, count) =>
      activate(kernel, keysOf(model), encodings, count, model.configuration.activated),
    place: async (placing) => place(kernel, placing, model.configuration.activated),
    build: async (task, snapshot) => {
      const { built, keeping } = await inTurn((client) =>
        buildInSnapshot(client, kernel, trainer, task, snapshot),
      );
      // Without them the next build sums its members again.
      if (keeping) inTurn((client) => keep(client, keeping)).catch(() => {});
      return built;
    },
    parallel: 1,
    ready,
    kept: async () => {
      await last;
    },
    close: async () => {
      await last;
      await connections.close();
    },
  };
}
