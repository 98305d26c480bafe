import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LegonetError } from '../errors.js';

/** What a TensorFlow.js model consists of. */
export type EncoderFiles = {
  /** model.json: topology and weights manifest. */
  readonly manifest: Uint8Array;
  /** The weight files one after another, as the manifest orders them. */
  readonly weights: Uint8Array;
};

/** So much of an encoder at most, model.json included: it is held in memory as a whole. */
export const MAX_ENCODER_BYTES = 512 * 1024 * 1024;

/** What pins an encoder: SHA-256, hex, over model.json and then its weights. */
export function encoderFilesDigest({ manifest, weights }: EncoderFiles): string {
  return createHash('sha256').update(manifest).update(weights).digest('hex');
}

/** Weight files whose bytes, one after another, are so many. */
export type WeightGroup = { readonly paths: readonly string[]; readonly bytes: number };

const BYTES = {
  float32: 4,
  int32: 4,
  complex64: 8,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
} as const;
type Type = keyof typeof BYTES;
const TYPES = Object.keys(BYTES) as Type[];

const type = z.enum(TYPES, `expected one of ${TYPES.join(', ')}`);
const manifestSchema = z.object({
  modelTopology: z.looseObject({}, 'expected a topology'),
  weightsManifest: z.array(
    z.object({
      // Files beside model.json: one that names others could read what it should not.
      paths: z.array(z.string().regex(/^[\w.-]*\w[\w.-]*$/, 'expected a file beside model.json')),
      weights: z.array(
        z.object({
          shape: z.array(z.int().min(0)),
          dtype: type,
          quantization: z.object({ dtype: type }).optional(),
        }),
      ),
    }),
    'expected a list of weight files',
  ),
});

/** The weight files that model.json names. Throws `input_malformed` naming the field. */
export function weightGroups(manifest: Uint8Array, path: string): readonly WeightGroup[] {
  const result = manifestSchema.safeParse(parse(manifest));
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue?.path.join('.') || 'it';
    const reason = `not the model.json of a TensorFlow.js model (${where}: ${issue?.message})`;
    throw new LegonetError('input_malformed', `${path}: ${reason}`);
  }
  return result.data.weightsManifest.map(({ paths, weights }) => ({
    paths,
    bytes: weights.reduce((sum, { shape, dtype, quantization }) => {
      const width = BYTES[quantization?.dtype ?? dtype];
      return sum + shape.reduce((product, size) => product * size, width);
    }, 0),
  }));
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
