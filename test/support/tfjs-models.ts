import type { EncoderSource } from '#src/engine/open-encoder.js';
import { type EncoderFiles, encoderFilesDigest } from '#src/model/encoder-files.js';
import { layersModel } from './small-models.js';

/** A model of a few numbers as its files are. */
export const smallFiles: EncoderFiles = {
  manifest: Buffer.from(JSON.stringify(layersModel.manifest)),
  weights: layersModel.weights,
};

/** As MODEL.json has it: the mean of each colour. */
export const smallEncoder = {
  kind: 'tfjs',
  file: 'model.json',
  sha256: encoderFilesDigest(smallFiles),
  layer: 'means',
  input: { width: 8, height: 8 },
  pixels: { divisor: 127.5, offset: 1 },
  dimension: 3,
  scale: 100,
} as const;

/** For encoders that need no files. */
export const NO_FILES: EncoderSource = {
  engine: undefined,
  files: () => Promise.reject(new Error('this encoder has no files')),
};
