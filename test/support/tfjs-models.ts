import type { EncoderSource } from '#src/engine/open-encoder.js';
import { type EncoderFiles, encoderFilesDigest } from '#src/model/encoder-files.js';

/** A layers model without weights: of an image, the mean of each colour. */
export function meanColours(side: number): EncoderFiles {
  const layers = [
    {
      class_name: 'InputLayer',
      name: 'image',
      config: { name: 'image', dtype: 'float32', batch_input_shape: [null, side, side, 3] },
      inbound_nodes: [],
    },
    {
      class_name: 'GlobalAveragePooling2D',
      name: 'mean',
      config: { name: 'mean', data_format: 'channels_last' },
      inbound_nodes: [[['image', 0, 0, {}]]],
    },
  ];
  const config = {
    name: 'colours',
    layers,
    input_layers: [['image', 0, 0]],
    output_layers: [['mean', 0, 0]],
  };
  const modelTopology = { keras_version: '2.1.4', model_config: { class_name: 'Model', config } };
  const manifest = Buffer.from(JSON.stringify({ modelTopology, weightsManifest: [] }));
  return { manifest, weights: new Uint8Array() };
}

/** As MODEL.json has it. */
export const meanEncoder = {
  kind: 'tfjs',
  file: 'model.json',
  sha256: encoderFilesDigest(meanColours(8)),
  layer: 'mean',
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
