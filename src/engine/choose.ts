import { LegonetError } from '../errors.js';
import type { Engine } from './engine.js';
import { nativeBinding } from './native.js';

/** Kinds of encoders and adapters that are computed by TensorFlow. */
const NEEDING = ['tfjs', 'softmax'];

/** What decides it, of a model's configuration. */
export type Kinds = {
  readonly encoder: { readonly kind: string };
  readonly adapter: { readonly kind: string };
};

/** The engine that such a model runs on, see `chooseEngine`; null if it needs none. */
export function engineOf({ encoder, adapter }: Kinds, asked: Engine | undefined): Engine | null {
  const needed = NEEDING.includes(encoder.kind) || NEEDING.includes(adapter.kind);
  return needed ? chooseEngine(asked) : null;
}

/**
 * The engine to run on: the one asked for, or by default `native` where it is installed, else `wasm`. Throws
 * `engine_not_installed` if `native` is asked for and is not there. Loads neither.
 */
export function chooseEngine(
  asked: Engine | undefined,
  installed: () => boolean = isNativeInstalled,
): Engine {
  if (asked === 'wasm') return 'wasm';
  if (installed()) return 'native';
  if (asked === undefined) return 'wasm';
  throw new LegonetError(
    'engine_not_installed',
    'LEGONET_ENGINE=native: the TensorFlow library is not installed: `npm run install:tensorflow`, ' +
      'or set LEGONET_ENGINE=wasm',
  );
}

/**
 * The engine to train on: the one asked for, or that of the model's backend, or else as `chooseEngine`. Throws
 * `engine_not_installed` too where it is `native` by the backend: another would give other bits.
 */
export function chooseTrainingEngine(
  asked: Engine | undefined,
  pinned: Engine | undefined,
  installed: () => boolean = isNativeInstalled,
): Engine {
  if (asked || pinned !== 'native' || installed()) return chooseEngine(asked ?? pinned, installed);
  throw new LegonetError(
    'engine_not_installed',
    'the model is trained on `native`, and the TensorFlow library is not installed: `npm run install:tensorflow`',
  );
}

/** Whether the package is there with its compiled binding: npm leaves either out where it cannot have it. */
export const isNativeInstalled = (): boolean => nativeBinding() !== undefined;
