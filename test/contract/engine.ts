import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { describeEngine } from '#src/engine/describe.js';
import type { Engine, ImageEncoderOptions, ImageModel } from '#src/engine/engine.js';
import { openImageEncoder } from '#src/engine/image-encoder.js';
import { loadImageModel } from '#src/engine/image-model.js';
import { openTensorFlow } from '#src/engine/tensorflow.js';
import { plainKernel } from '#src/kernel/plain.js';
import { randomIntegers } from '../support/random.js';
import { graphModel, layersModel } from '../support/small-models.js';

const CHILD = fileURLToPath(new URL('../support/engine-child.mjs', import.meta.url));

/** What a process of its own says of its engine. */
export async function describeInProcess(
  engine: Engine,
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, engine], { env });
  return JSON.parse(stdout);
}

const PLAIN = { height: 2, width: 2, divisor: 1, offset: 0 };
/** Two rows of two pixels; green and blue are 1 and 2 everywhere. */
const IMAGE = [0, 8, 16, 24].flatMap((red) => [red, 1, 2]);

/** What every engine does; it is opened in the thread of the tests. */
export function engineContract(engine: Engine): void {
  const load = async (model: ImageModel, options: Partial<ImageEncoderOptions> = {}) =>
    loadImageModel(await openTensorFlow(engine), model, { ...PLAIN, ...options });
  const encode = async (
    model: ImageModel,
    options: Partial<ImageEncoderOptions> = {},
    values: Uint8Array | Float32Array = Uint8Array.from(IMAGE),
  ) => {
    const { encode: run } = await load(model, options);
    return [...run({ values, count: 1, height: 2, width: 2 })];
  };

  test('computes the same bits in any process, with any number of threads', async () => {
    const here = describeEngine(await openTensorFlow(engine));
    expect(here).toEqual({
      engine,
      tensorflowJs: '4.22.0',
      tensorflow: engine === 'native' ? expect.stringMatching(/^2\.\d+\.\d+$/) : null,
      architecture: engine === 'native' ? process.arch : 'wasm32-simd',
      probe: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    for (const threads of ['1', '3']) {
      const settings = { TF_NUM_INTRAOP_THREADS: threads, TF_NUM_INTEROP_THREADS: threads };
      expect(await describeInProcess(engine, settings)).toEqual(here);
    }
  });

  test('adds up to 1,024 products of int8 values exactly', async () => {
    const { tf } = await openTensorFlow(engine);
    const [rows, columns] = [1024, 24];
    const next = randomIntegers(7);
    const x = Int8Array.from({ length: rows * columns }, () => next(256) - 128);
    const matrix = tf.tensor2d(Float32Array.from(x), [rows, columns]);
    const product = tf.matMul(matrix, matrix, true, false).dataSync();
    const upper = product.filter((_, i) => i % columns >= Math.trunc(i / columns));
    expect([...upper]).toEqual([...plainKernel.gram(x, rows, columns)]);
  });

  describe('a model', () => {
    test('of layers ends with its output, and takes bytes and floats', async () => {
      const expected = [12 + 1 + 0.5, 1 + 2 + 0.5];
      expect(await encode(layersModel)).toEqual(expected);
      expect(await encode(layersModel, {}, Float32Array.from(IMAGE))).toEqual(expected);
      expect(await load(layersModel)).toMatchObject({ dimension: 2 });
    });

    test('of layers ends with the layer that is named', async () => {
      expect(await encode(layersModel, { output: 'pixels' })).toEqual(IMAGE);
      expect(await load(layersModel, { output: 'pixels' })).toMatchObject({ dimension: 12 });
    });

    test('that is a graph ends with its output, or the tensor that is named', async () => {
      expect(await encode(graphModel)).toEqual([6, 0.5, 1]);
      const halves = IMAGE.map((value) => value / 2);
      expect(await encode(graphModel, { output: 'halved' })).toEqual(halves);
    });

    test('encodes as many images as there are, in their order', async () => {
      const { encode: run } = await load(layersModel);
      const values = Uint8Array.from({ length: 70 * 12 }, (_, i) => Math.trunc(i / 12));
      const sums = Array.from({ length: 140 }, (_, i) => 2 * Math.trunc(i / 2) + 0.5);
      expect([...run({ values, count: 70, height: 2, width: 2 })]).toEqual(sums);
    });

    test('is given pixels that are divided, and then subtracted from', async () => {
      const options = { output: 'pixels', divisor: 4, offset: 1 };
      expect(await encode(layersModel, options)).toEqual(IMAGE.map((value) => value / 4 - 1));
    });

    test.each([
      ['from corners of pixels', {}, [0, 4, 8, 8]],
      ['with corners aligned', { alignCorners: true }, [0, 8 / 3, 16 / 3, 8]],
      ['from centers of pixels', { halfPixelCenters: true }, [0, 2, 6, 8]],
    ])('is given images resized between pixels, %s', async (_, options, columns) => {
      const size = { height: 4, width: 4, output: 'pixels' };
      const red = (await encode(layersModel, { ...size, ...options })).filter(
        (_, i) => i % 3 === 0,
      );
      // To the right it is the first row's, and downwards twice as much.
      const expected = columns.flatMap((down) => columns.map((right) => 2 * down + right));
      expect(red).toHaveLength(16);
      red.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 4);
      });
    });

    test.each<[string, ImageModel, Partial<ImageEncoderOptions>]>([
      ['no layer of that name', layersModel, { output: 'elsewhere' }],
      ['no tensor of that name', graphModel, { output: 'elsewhere' }],
      ['no topology', { ...layersModel, manifest: {} }, {}],
      ['nothing in it', { ...layersModel, manifest: null }, {}],
      ['an output that is not one for each image', graphModel, { output: 'half' }],
      ['too few weights', { ...layersModel, weights: new Uint8Array(8) }, {}],
    ])('is refused with %s', async (_, model, options) => {
      await expect(load(model, options)).rejects.toMatchObject({ code: 'engine_model' });
    });
  });

  test('never takes the place of another in a thread', async () => {
    await openTensorFlow(engine);
    const other = openTensorFlow(engine === 'native' ? 'wasm' : 'native');
    await expect(other).rejects.toMatchObject({ code: 'engine_failed' });
  });

  describe('an encoder in worker threads', () => {
    test('answers each of several calls side by side, images in their order', async () => {
      const encoder = await openImageEncoder(engine, layersModel, PLAIN);
      const here = describeEngine(await openTensorFlow(engine));
      expect(encoder).toMatchObject({ dimension: 2, description: here });
      const shape = { count: 2, height: 2, width: 2 };
      const calls = Array.from({ length: 20 }, (_, i) => {
        const values = Uint8Array.from([...Array(12).fill(i), ...Array(12).fill(100)]);
        return encoder.encode({ values, ...shape });
      });
      const answers = await Promise.all(calls);
      answers.forEach((answer, i) => {
        expect([...answer]).toEqual([2 * i + 0.5, 2 * i + 0.5, 200.5, 200.5]);
      });
      for (const count of [0, 1, 0.5, -2]) {
        const wrong = encoder.encode({ ...shape, values: new Uint8Array(24), count });
        await expect(wrong).rejects.toMatchObject({ code: 'engine_images' });
      }
      await encoder.close();
    });

    test('says why it does not open', async () => {
      const options = { ...PLAIN, output: 'elsewhere' };
      await expect(openImageEncoder(engine, layersModel, options)).rejects.toMatchObject({
        name: 'LegonetError',
        code: 'engine_model',
        message: expect.stringContaining('elsewhere'),
      });
    });
  });
}
