import util from 'node:util';
import { LegonetError } from '../errors.js';
import type { Engine } from './engine.js';
import { quieten } from './native.js';

/** An opened engine, in this thread. */
export type TensorFlow = {
  readonly engine: Engine;
  /**
   * The operations. Only functions are there on both engines (`tf.mul(x, y)`, not `x.mul(y)`), and no
   * gradients (`tf.grad`, optimizers): @tensorflow/tfjs, which has these, drags in 180 MB more.
   */
  readonly tf: typeof import('@tensorflow/tfjs-core');
  readonly layers: typeof import('@tensorflow/tfjs-layers');
  readonly converter: typeof import('@tensorflow/tfjs-converter');
  /** Version of the C library; null on `wasm`. */
  readonly tensorflow: string | null;
};

let opened: { readonly engine: Engine; readonly promise: Promise<TensorFlow> } | undefined;

/**
 * Opens the engine in this thread, once: a thread has one engine for as long as it lives. Operations block
 * it, so it should be a worker thread, with the environment shared (`env: SHARE_ENV`) for the library to read. Where
 * others may open `native` too, the main thread has called `shareNative` before. Rejects with `engine_failed`.
 */
export async function openTensorFlow(engine: Engine): Promise<TensorFlow> {
  opened ??= { engine, promise: open(engine) };
  try {
    if (opened.engine !== engine) throw new Error(`this thread runs the ${opened.engine} engine`);
    return await opened.promise;
  } catch (cause) {
    const remedy = engine === 'native' ? ': `npm run install:tensorflow` mends it' : '';
    const message = `the ${engine} engine does not start${remedy}`;
    throw new LegonetError('engine_failed', message, 'stop', { cause });
  }
}

async function open(engine: Engine): Promise<TensorFlow> {
  const tf = await import('@tensorflow/tfjs-core');
  const tensorflow = engine === 'native' ? await useNative(tf) : await useWasm(tf);
  const layers = await import('@tensorflow/tfjs-layers');
  const converter = await import('@tensorflow/tfjs-converter');
  return { engine, tf, layers, converter, tensorflow };
}

/** By another name, for it need not be installed. */
const NATIVE: string = '@tensorflow/tfjs-node';

async function useNative(tf: TensorFlow['tf']): Promise<string> {
  quieten();
  // The package calls this function, of which Node.js 22 warns on stderr.
  Object.assign(util, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
  await import(NATIVE);
  await useBackend(tf, 'tensorflow');
  const backend = tf.backend() as { readonly binding?: { readonly TF_Version?: unknown } };
  return String(backend.binding?.TF_Version);
}

/**
 * One variant on every machine: SIMD, which every supported Node.js has, and one thread (it has no other in
 * Node.js). Its files lie beside its code.
 */
async function useWasm(tf: TensorFlow['tf']): Promise<null> {
  await import('@tensorflow/tfjs-backend-wasm');
  tf.env().set('WASM_HAS_SIMD_SUPPORT', true);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await useBackend(tf, 'wasm');
  return null;
}

/** Never another than the one that was chosen. */
async function useBackend(tf: TensorFlow['tf'], name: string): Promise<void> {
  if (!(await tf.setBackend(name)) || tf.getBackend() !== name) {
    throw new Error(`TensorFlow.js runs on ${tf.getBackend()} instead of ${name}`);
  }
}
