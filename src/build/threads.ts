import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { SHARE_ENV } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Engine } from '../engine/engine.js';
import { shareNative } from '../engine/native.js';
import type { Keys } from '../model/activation.js';
import type { Backend } from '../model/backend.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Model } from '../model/model.js';
import type { Placing } from '../model/placing.js';
import { type Outcome, unwrap } from '../outcome.js';
import type { Compute } from './compute.js';
import { KeepLater, type SharedNumbers, sharedNumbers } from './keep-later.js';

/** What a worker thread is started with. */
export type ThreadData = {
  readonly url: string;
  readonly keys: Keys | null;
  readonly activated: number;
  readonly training: Training;
  readonly keeping: SharedNumbers;
};

/** What softmax adapters are trained on, and the engine that is asked for; null for least-squares. */
export type Training = { readonly pinned: Backend; readonly asked: Engine | undefined } | null;

/** More threads than this would mostly wait for one database. */
const MAX_THREADS = 8;

/** One's members come while another is computed. Beside training, reading is nothing. */
const tasksOfAThread = (training: Training): number => (training ? 1 : 2);

/** The arithmetic on worker threads. */
export function threadCompute(
  url: string,
  model: Model,
  training: Training = null,
  threads = Math.min(MAX_THREADS, availableParallelism()),
): Compute {
  const keeping = sharedNumbers();
  const workerData: ThreadData = {
    url,
    keys: model.keys,
    activated: model.configuration.activated,
    training,
    keeping,
  };
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
    minThreads: 0,
    maxThreads: threads,
    concurrentTasksPerWorker: tasksOfAThread(training),
    idleTimeout: 30_000,
    // Otherwise a thread without a task is blocked until the next one, and writes no statistics.
    atomics: 'disabled',
    workerData,
    // TensorFlow reads the environment of the process itself.
    ...(training && { env: SHARE_ENV }),
  });
  const run = async <T>(name: string, task: object): Promise<T> =>
    unwrap<T>((await pool.run(task, { name })) as Outcome<T>);
  /** What trains, if anything does. */
  const runTrainer = <T>(name: string, task: object): Promise<T> => {
    if ((training?.asked ?? training?.pinned.engine) === 'native') shareNative();
    return run(name, task);
  };
  const later = new KeepLater(keeping);
  return {
    activate: (encodings, count) => run('activateBatch', { encodings, count }),
    place: (placing: Placing) => run('placeBatch', placing),
    build: async (adapter, snapshot) => {
      const result = await runTrainer<BuiltAdapter>('buildAdapter', { adapter, snapshot });
      later.built();
      return result;
    },
    parallel: threads * tasksOfAThread(training),
    ready: () => runTrainer('ready', {}),
    kept: () => later.done(),
    close: async () => {
      await later.done();
      await pool.destroy();
    },
  };
}
