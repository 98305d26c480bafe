import type { ImageModel } from '#src/engine/engine.js';

/*
 * TensorFlow.js models of a few numbers, whose outputs can be worked out by hand.
 */

const float32 = (...values: number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);

const INPUT = {
  class_name: 'InputLayer',
  name: 'input',
  inbound_nodes: [],
  config: { name: 'input', dtype: 'float32', batch_input_shape: [null, 224, 224, 3] },
};

const layer = (class_name: string, name: string, after: string, config: object = {}) => ({
  class_name,
  name,
  inbound_nodes: [[[after, 0, 0, {}]]],
  config: { name, ...config },
});

/** `pixels` is the whole input; `sums`, the output, are two weighted sums of the colours' means. */
export const layersModel: ImageModel = {
  manifest: {
    modelTopology: {
      model_config: {
        class_name: 'Model',
        config: {
          name: 'small',
          layers: [
            INPUT,
            layer('Activation', 'pixels', 'input', { activation: 'linear' }),
            layer('GlobalAveragePooling2D', 'means', 'pixels'),
            layer('Dense', 'sums', 'means', { units: 2, activation: 'linear', use_bias: true }),
          ],
          input_layers: [['input', 0, 0]],
          output_layers: [['sums', 0, 0]],
        },
      },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: [
          { name: 'sums/kernel', shape: [3, 2], dtype: 'float32' },
          { name: 'sums/bias', shape: [2], dtype: 'float32' },
        ],
      },
    ],
  },
  // Red and green to the first, green and blue to the second; a half to both.
  weights: float32(1, 0, 1, 1, 0, 1, 0.5, 0.5),
};

const shape = { shape: { dim: [-1, -1, -1, 3].map((size) => ({ size: String(size) })) } };
const DT_FLOAT = { type: 'DT_FLOAT' };

/** A graph: `halved` is the input times a half; `means`, the output, its mean over height and width. */
export const graphModel: ImageModel = {
  manifest: {
    format: 'graph-model',
    modelTopology: {
      node: [
        { name: 'image', op: 'Placeholder', attr: { dtype: DT_FLOAT, shape } },
        { name: 'half', op: 'Const', attr: { dtype: DT_FLOAT } },
        { name: 'axes', op: 'Const', attr: { dtype: { type: 'DT_INT32' } } },
        { name: 'halved', op: 'Mul', input: ['image', 'half'], attr: { T: DT_FLOAT } },
        { name: 'means', op: 'Mean', input: ['halved', 'axes'], attr: { T: DT_FLOAT } },
      ],
      versions: { producer: 27 },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: [
          { name: 'half', shape: [], dtype: 'float32' },
          { name: 'axes', shape: [2], dtype: 'int32' },
        ],
      },
    ],
  },
  weights: Buffer.concat([float32(0.5), new Uint8Array(Int32Array.from([1, 2]).buffer)]),
};
