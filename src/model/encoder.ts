import { LegonetError } from '../errors.js';
import type { Input } from '../events/event.js';
import type { Model } from './model.js';
import { quantise } from './quantise.js';

/** Turns raw inputs into what the quantiser takes. One to a model: the configuration says which. */
export interface Encoder {
  /**
   * Of each input, in order, the numbers [inputDimension], or why there are none: a terminal error of this
   * input alone. Throws what is not the inputs' fault, retryable or stop: they are asked for again. Throws the signal's
   * reason once it aborts, and begins with no further input.
   */
  encode(
    inputs: readonly Input[],
    signal?: AbortSignal,
  ): Promise<readonly (ArrayLike<number> | LegonetError)[]>;
  close(): Promise<void>;
}

/** A model, and what encodes its raw inputs; null where events bring encodings. */
export type ModelEncoder = { readonly model: Model; readonly encoder: Encoder | null };

const INPUTS = { identity: null, 'hashing-text': 'text', tfjs: 'media' } as const;

/** What raw inputs a model takes; null: none, events bring encodings. */
export function inputForm({ configuration: { encoder } }: Model): Input['form'] | null {
  return INPUTS[encoder.kind];
}

const TAKEN = { text: '{"text"}', media: '{"mediaType", "base64"}' } as const;

/** Throws `input_not_encodable` for a kind of input that the model does not take. */
export function checkInput(model: Model, { form }: Input): void {
  const taken = inputForm(model);
  if (form === taken) return;
  const message = `input: this model takes ${taken ? TAKEN[taken] : 'encodings, not raw input'}`;
  throw new LegonetError('input_not_encodable', message);
}

/**
 * The int8 encoding of each input, in order, or the error of this input alone. Throws what is not the
 * inputs' fault: as the encoder does, or `no_encoder`.
 */
export async function encodeInputs(
  { model, encoder }: ModelEncoder,
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<(Int8Array | LegonetError)[]> {
  const taken = inputs.filter(({ form }) => form === inputForm(model));
  if (taken.length > 0 && !encoder) {
    throw new LegonetError('no_encoder', 'no encoder of raw inputs is open', 'stop');
  }
  const encoded = taken.length > 0 ? await encoder?.encode(taken, signal) : [];
  let next = 0;
  return inputs.map((input) =>
    orError(() => {
      checkInput(model, input);
      const numbers = encoded?.[next++] ?? [];
      if (numbers instanceof LegonetError) throw numbers;
      return quantise(model.quantiser, numbers);
    }),
  );
}

/** What it returns, or the terminal error that it throws. */
export function orError<T>(work: () => T): T | LegonetError {
  try {
    return work();
  } catch (error) {
    if (error instanceof LegonetError && error.retry === 'terminal') return error;
    throw error;
  }
}
