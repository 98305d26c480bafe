import { LegonetError } from '../errors.js';
import type { Encoder } from '../model/encoder.js';
import type { EncoderFiles } from '../model/encoder-files.js';
import type { Model } from '../model/model.js';
import { chooseEngine } from './choose.js';
import type { Engine } from './engine.js';
import { textEncoder } from './text-encoder.js';

/** What encoders are opened with. */
export type EncoderSource = {
  /** As asked for: see `chooseEngine`. */
  readonly engine: Engine | undefined;
  /** The files of a tfjs encoder, by their digest. */
  readonly files: (sha256: string) => Promise<EncoderFiles>;
};

/**
 * What encodes the model's raw inputs; null where events bring encodings. Throws `engine_not_installed`. An
 * engine and a model's files are loaded when there is something to encode; what keeps them from it is
 * `encoder_unavailable` then.
 */
export async function openEncoder(
  { configuration }: Model,
  source: EncoderSource,
): Promise<Encoder | null> {
  const { encoder } = configuration;
  switch (encoder.kind) {
    case 'identity':
      return null;
    case 'hashing-text':
      return textEncoder(encoder);
    case 'tfjs': {
      const engine = chooseEngine(source.engine);
      return whenNeeded(async () => {
        const { openTfjsEncoder } = await import('./tfjs-encoder.js');
        return openTfjsEncoder(encoder, await source.files(encoder.sha256), engine);
      });
    }
  }
}

/** An encoder that is opened by the first who needs it, and by the next one if that has failed. */
function whenNeeded(open: () => Promise<Encoder>): Encoder {
  let opened: Promise<Encoder> | undefined;
  const openOnce = () => {
    opened ??= open().catch((error) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    encode: async (inputs, signal) => {
      try {
        return await (await openOnce()).encode(inputs, signal);
      } catch (cause) {
        if (signal?.aborted && cause === signal.reason) throw cause;
        throw unavailable(cause);
      }
    },
    close: async () => {
      const encoder = await opened?.catch(() => undefined);
      await encoder?.close();
    },
  };
}

/** Nothing that is thrown is the fault of an input: those have errors of their own. */
function unavailable(cause: unknown): LegonetError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const retry = cause instanceof LegonetError && cause.retry !== 'retryable' ? 'stop' : 'retryable';
  return new LegonetError('encoder_unavailable', `no encoder of raw inputs: ${reason}`, retry, {
    cause,
  });
}
