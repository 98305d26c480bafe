import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { io, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { LegonetError } from '../errors.js';
import type { ImageEncoderOptions, ImageModel, Images } from './engine.js';
import type { TensorFlow } from './tensorflow.js';

/** What is looked at here; TensorFlow.js reads the rest. */
const manifestSchema = z.looseObject({
  modelTopology: z.looseObject({}),
  weightsManifest: z.array(z.looseObject({ weights: z.array(z.looseObject({})) })),
});

/** Images that go through the model at a time: more are no faster, and take more memory. */
const BATCH = 32;

/** From images scaled to the model's input to what it makes of them. */
type Run = (input: Tensor4D) => Tensor;

/** A model that is loaded in this thread. */
export type LoadedModel = {
  readonly dimension: number;
  /** Blocks the thread. */
  encode(images: Images): Float32Array;
};

/**
 * Loads the model and cuts it at the output asked for. Throws `engine_model` saying what is wrong with it.
 */
export async function loadImageModel(
  opened: TensorFlow,
  model: ImageModel,
  options: ImageEncoderOptions,
): Promise<LoadedModel> {
  const { tf } = opened;
  const { height, width, divisor, offset, output } = options;
  const { alignCorners = false, halfPixelCenters = false } = options;
  const manifest = parseManifest(model.manifest, height, width);
  const run = await refusing(async () => {
    const weights = Uint8Array.from(model.weights).buffer;
    const handler = tf.io.fromMemory(
      await tf.io.getModelArtifactsForJSON(manifest, async (groups) => [
        groups.flatMap((group) => group.weights),
        weights,
      ]),
    );
    return 'node' in manifest.modelTopology
      ? loadGraph(opened, handler, output)
      : loadLayers(opened, handler, output);
  });
  const encodeBatch = ({ values, count, height: rows, width: columns }: Images) =>
    tf.tidy(() => {
      const type = values instanceof Float32Array ? 'float32' : 'int32';
      const pixels = tf.cast(tf.tensor4d(values, [count, rows, columns, 3], type), 'float32');
      const size: [number, number] = [height, width];
      const resized = tf.image.resizeBilinear(pixels, size, alignCorners, halfPixelCenters);
      const result = run(tf.sub(tf.div(resized, divisor), offset));
      if (result.shape[0] === count) return result.dataSync();
      throw new Error(`for ${count} images its output has the shape [${result.shape}]`);
    });
  const black = { values: new Uint8Array(2 * height * width * 3), count: 2, height, width };
  const dimension = (await refusing(async () => encodeBatch(black))).length / 2;
  const encode = (images: Images): Float32Array => {
    const encodings = new Float32Array(images.count * dimension);
    for (let first = 0; first < images.count; first += BATCH) {
      encodings.set(encodeBatch(part(images, first)), first * dimension);
    }
    return encodings;
  };
  return { dimension, encode };
}

/** The images from `first` on, as many as go through the model at a time. */
function part({ values, count, height, width }: Images, first: number): Images {
  const size = height * width * 3;
  const end = Math.min(count, first + BATCH);
  return { values: values.subarray(first * size, end * size), count: end - first, height, width };
}

/** With every shape of an image that the model takes set to the size asked for. */
function parseManifest(json: unknown, height: number, width: number): io.ModelJSON {
  const result = manifestSchema.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw refused(`model.json: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return JSON.parse(JSON.stringify(result.data), (key, value) =>
    /^batch_(input_)?shape$/.test(key) && isImageShape(value) ? [null, height, width, 3] : value,
  );
}

const isImageShape = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 4 && value[0] === null && value[3] === 3;

async function loadLayers(
  { layers }: TensorFlow,
  handler: io.IOHandler,
  output: string | undefined,
): Promise<Run> {
  const whole = await layers.loadLayersModel(handler);
  if (whole.inputs.length !== 1) throw new Error(`it has ${whole.inputs.length} inputs`);
  const outputs = output === undefined ? whole.outputs : whole.getLayer(output).output;
  const cut = layers.model({ inputs: whole.inputs, outputs });
  return (input) => one(cut.predict(input, { batchSize: input.shape[0] }));
}

async function loadGraph(
  { converter }: TensorFlow,
  handler: io.IOHandler,
  output: string | undefined,
): Promise<Run> {
  const graph: GraphModel = await converter.loadGraphModel(handler);
  const [name, ...others] = graph.inputNodes;
  if (name === undefined || others.length > 0) throw new Error('it has not exactly one input');
  return (input) => one(graph.execute({ [name]: input }, output ?? graph.outputNodes));
}

function one(outputs: Tensor | Tensor[]): Tensor {
  const [first, ...others] = Array.isArray(outputs) ? outputs : [outputs];
  if (first && others.length === 0) return first;
  throw new Error('it has not exactly one output: name it');
}

const refused = (message: string, cause?: unknown) =>
  new LegonetError('engine_model', `the encoder's model: ${message}`, 'terminal', { cause });

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error), error);
  }
}
