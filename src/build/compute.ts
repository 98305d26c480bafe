import type pg from 'pg';
import { activate, keysOf } from '../model/activation.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import { type Placing, place } from '../model/placing.js';
import type { Trainer } from '../model/trainer.js';
import type { AdapterTask } from './adapter.js';
import { KeepLater, KeepWhenTold, sharedNumbers } from './keep-later.js';
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

/** Adapters at a time: the content of two comes while one is computed. */
const LANES = 3;

/** Everything on the calling thread, with any kernel; softmax adapters take a trainer. */
export function inlineCompute(
  url: string,
  kernel: Kernel,
  model: Model,
  trainer: Trainer | null = null,
): Compute {
  const connections = new OwnConnections(url);
  const lanes: Promise<unknown>[] = Array.from({ length: LANES }, async () => {});
  const inTurn = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const free = lanes.shift() ?? Promise.resolve();
    const result = free.then(() => connections.use(work));
    lanes.push(result.catch(() => {}));
    return result;
  };
  const keeping = sharedNumbers();
  const later = new KeepLater(keeping);
  const whenTold = new KeepWhenTold(keeping, (statistics) =>
    inTurn((client) => keep(client, statistics)),
  );
  const ready = () => inTurn(async () => {});
  // Made while there is something else to do yet; who needs it hears of a failure.
  for (let lane = 0; lane < LANES; lane++) ready().catch(() => {});
  return {
    activate: async (encodings, count) =>
      activate(kernel, keysOf(model), encodings, count, model.configuration.activated),
    place: async (placing) => place(kernel, placing, model.configuration.activated),
    build: async (task, snapshot) => {
      const { built, keeping } = await inTurn((client) =>
        buildInSnapshot(client, kernel, trainer, task, snapshot),
      );
      if (keeping) whenTold.add(keeping);
      later.built();
      return built;
    },
    parallel: LANES,
    ready,
    kept: () => later.done(),
    close: async () => {
      await later.done();
      await Promise.all(lanes);
      await connections.close();
    },
  };
}
