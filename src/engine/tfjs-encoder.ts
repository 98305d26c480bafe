import { once } from 'node:events';
import { LegonetError } from '../errors.js';
import type { Input } from '../events/event.js';
import type { ModelConfiguration } from '../model/configuration.js';
import type { Encoder } from '../model/encoder.js';
import type { EncoderFiles } from '../model/encoder-files.js';
import type { Engine, ImageEncoder } from './engine.js';
import { decodeImage, type Pixels } from './image.js';
import { openImageEncoder } from './image-encoder.js';

type Tfjs = Extract<ModelConfiguration['encoder'], { kind: 'tfjs' }>;
type Decoded = { readonly at: number; readonly pixels: Pixels };
type Answer = Float32Array | LegonetError;

/** What goes to the engine at a time: so many images, and so many bytes of them before they are resized. */
const BATCH_IMAGES = 32;
const BATCH_BYTES = 16 * 1024 * 1024;

/**
 * Opens an encoder of images on an engine. Throws `invalid_model` if its output is not `dimension` numbers, and
 * what `openImageEncoder` does.
 */
export async function openTfjsEncoder(
  { layer, input, pixels, dimension }: Tfjs,
  { manifest, weights }: EncoderFiles,
  engine: Engine,
): Promise<Encoder> {
  const model = { manifest: JSON.parse(Buffer.from(manifest).toString('utf8')), weights };
  const images = await openImageEncoder(engine, model, { output: layer, ...input, ...pixels });
  if (images.dimension === dimension) {
    return {
      encode: (inputs, signal) => encode(images, inputs, signal),
      close: () => images.close(),
    };
  }
  await images.close();
  throw new LegonetError(
    'invalid_model',
    `encoder.dimension: layer ${layer} gives ${images.dimension} numbers, not ${dimension}`,
    'stop',
  );
}

async function encode(
  images: ImageEncoder,
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<Answer[]> {
  const answers = new Array<Answer>(inputs.length);
  const queue = inputs.entries();
  const lane = async () => {
    for (;;) {
      const batch = await decodeSome(queue, answers, signal);
      if (batch.length === 0) return;
      for (const group of bySize(batch)) {
        signal?.throwIfAborted();
        const encodings = await images.encode(joined(group));
        group.forEach(({ at }, i) => {
          answers[at] = encodings.slice(i * images.dimension, (i + 1) * images.dimension);
        });
      }
    }
  };
  // One more than the engine works on: it decodes meanwhile. Each holds one batch.
  const lanes = Promise.all(Array.from({ length: images.parallel + 1 }, lane));
  await (signal ? unlessAborted(lanes, signal) : lanes);
  return answers;
}

/** Throws the signal's reason as soon as it aborts; what is being worked on then ends by itself. */
async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const aborted = once(signal, 'abort', { signal: over.signal }).then(() =>
    signal.throwIfAborted(),
  );
  try {
    await Promise.race([work, aborted]);
  } finally {
    over.abort();
  }
}

/** The next images, decoded; none when there are no more inputs. What cannot be decoded is answered. */
async function decodeSome(
  queue: Iterator<[number, Input]>,
  answers: Answer[],
  signal: AbortSignal | undefined,
): Promise<readonly Decoded[]> {
  const batch: Decoded[] = [];
  for (let bytes = 0; batch.length < BATCH_IMAGES && bytes < BATCH_BYTES; ) {
    signal?.throwIfAborted();
    const next = queue.next();
    if (next.done) break;
    const [at, input] = next.value;
    try {
      const pixels = await decode(input);
      bytes += pixels.rgb.length;
      batch.push({ at, pixels });
    } catch (error) {
      if (!(error instanceof LegonetError)) throw error;
      answers[at] = error;
    }
  }
  return batch;
}

async function decode(input: Input): Promise<Pixels> {
  if (input.form === 'media') return decodeImage(input.mediaType, input.bytes);
  throw new LegonetError(
    'input_not_encodable',
    'input: this model’s encoder takes {"mediaType", "base64"} only',
  );
}

function bySize(batch: readonly Decoded[]): Iterable<readonly Decoded[]> {
  const groups = new Map<string, Decoded[]>();
  for (const one of batch) {
    const size = `${one.pixels.width}x${one.pixels.height}`;
    const group = groups.get(size);
    if (group) group.push(one);
    else groups.set(size, [one]);
  }
  return groups.values();
}

/** Images of one size, one after the other. */
function joined(group: readonly Decoded[]) {
  const [first] = group;
  const { width, height } = first?.pixels ?? { width: 0, height: 0 };
  const each = width * height * 3;
  const values = new Uint8Array(group.length * each);
  group.forEach(({ pixels }, i) => {
    values.set(pixels.rgb, i * each);
  });
  return { values, count: group.length, width, height };
}
