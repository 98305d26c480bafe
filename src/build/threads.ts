import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Keys } from '../model/activation.js';
import type { Model } from '../model/model.js';
import { type Outcome, unwrap } from '../outcome.js';
import type { Compute } from './compute.js';

/** What a worker thread is started with. */
export type ThreadData = {
  readonly url: string;
  readonly keys: Keys;
  readonly activated: number;
};

/** More threads than this would mostly wait for one database. */
const MAX_THREADS = 8;

/** The arithmetic on one worker thread per core. */
export function threadCompute(
  url: string,
  model: Model,
  threads = Math.min(MAX_THREADS, availableParallelism()),
): Compute {
  const workerData: ThreadData = {
    url,
    keys: model.keys,
    activated: model.configuration.activated,
  };
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 30_000,
    workerData,
  });
  const run = async <T>(name: string, task: object): Promise<T> =>
    unwrap<T>((await pool.run(task, { name })) as Outcome<T>);
  return {
    activate: (encodings, count) => run('activateBatch', { encodings, count }),
    build: (adapter, snapshot) => run('buildAdapter', { adapter, snapshot }),
    parallel: threads,
    ready: () => run('ready', {}),
    close: () => pool.destroy(),
  };
}
