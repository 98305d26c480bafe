import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { SHARE_ENV } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { LegonetError } from '../errors.js';
import { type Outcome, unwrap } from '../outcome.js';
import type {
  Engine,
  EngineDescription,
  ImageEncoder,
  ImageEncoderOptions,
  ImageModel,
  Images,
} from './engine.js';
import { shareNative } from './native.js';

/** What a worker thread is started with. */
export type EncoderThread = {
  readonly engine: Engine;
  readonly model: ImageModel;
  readonly options: ImageEncoderOptions;
};

/** Each has a copy of the model, and what it computes with. */
const MAX_THREADS = 8;

/**
 * An encoder of images on worker threads: one for `native`, which uses all cores by itself, and as many as there are
 * cores for `wasm`. The engine is that of `chooseEngine`. Throws `engine_model` and `engine_failed`.
 *
 * ```ts
 * const encoder = await openImageEncoder('native', { manifest, weights }, { height: 128, width: 128,
 *   divisor: 127.5, offset: 1, output: 'global_average_pooling2d_1' });
 * const encodings = await encoder.encode({ values, count: 16, height: 32, width: 32 });
 * await encoder.close();
 * ```
 */
export async function openImageEncoder(
  engine: Engine,
  model: ImageModel,
  options: ImageEncoderOptions,
): Promise<ImageEncoder> {
  if (engine === 'native') shareNative();
  const parallel = engine === 'native' ? 1 : Math.min(MAX_THREADS, availableParallelism());
  const weights = new Uint8Array(new SharedArrayBuffer(model.weights.length));
  weights.set(model.weights);
  const workerData: EncoderThread = { engine, model: { ...model, weights }, options };
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
    minThreads: 1,
    maxThreads: parallel,
    idleTimeout: 30_000,
    env: SHARE_ENV,
    workerData,
  });
  const run = async <T>(name: string, task: object): Promise<T> =>
    unwrap<T>((await pool.run(task, { name })) as Outcome<T>);
  const close = () => pool.destroy();
  try {
    const described = await run<{ description: EngineDescription; dimension: number }>(
      'describe',
      {},
    );
    return {
      ...described,
      parallel,
      encode: async (images) => {
        requireShape(images);
        return run('encode', images);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function requireShape({ values, count, height, width }: Images): void {
  const whole = [count, height, width].every((size) => Number.isSafeInteger(size) && size > 0);
  if (whole && values.length === count * height * width * 3) return;
  throw new LegonetError(
    'engine_images',
    `${values.length} values are not ${count} images of ${height} x ${width} x 3`,
  );
}
