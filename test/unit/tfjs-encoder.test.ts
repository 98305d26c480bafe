import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEncoder } from '#src/engine/open-encoder.js';
import { openTfjsEncoder } from '#src/engine/tfjs-encoder.js';
import type { LegonetError } from '#src/errors.js';
import type { Input } from '#src/events/event.js';
import type { Encoder } from '#src/model/encoder.js';
import { tinyModel } from '../support/models.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

let encoder: Encoder;
beforeAll(async () => {
  encoder = await openTfjsEncoder(smallEncoder, smallFiles, 'wasm');
});
afterAll(() => encoder.close());

type Colour = readonly [number, number, number];

async function png(colour: Colour, width = 8, height = 8): Promise<Input> {
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3] ?? 0);
  const bytes = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return { form: 'media', mediaType: 'image/png', bytes };
}

/** What a model that averages makes of an image of one colour. */
const scaled = (colour: Colour) =>
  colour.map((value) => Math.fround(Math.fround(value / 127.5) - 1));

test('every image gets its own encoding, at its own place, whatever its size and however many there are', async () => {
  const colours = Array.from({ length: 150 }, (_, i): Colour => [i, 255 - i, (i * 7) % 256]);
  const inputs = await Promise.all(colours.map((one, i) => png(one, 1 + (i % 5), 1 + (i % 3))));
  const encodings = await encoder.encode(inputs);
  expect(encodings).toHaveLength(colours.length);
  encodings.forEach((encoding, i) => {
    const expected = scaled(colours[i] as Colour);
    const far = expected.map((value, c) => Math.abs(value - ((encoding as Float32Array)[c] ?? 9)));
    expect(Math.max(...far)).toBeLessThan(1e-5);
  });
});

test('an image’s bits do not depend on those that are encoded with it', async () => {
  const noise = (width: number, height: number) =>
    sharp({
      create: {
        width,
        height,
        channels: 3,
        background: '#000',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    });
  const bytes = await noise(31, 17).png().toBuffer();
  const image: Input = { form: 'media', mediaType: 'image/png', bytes };
  const [alone] = await encoder.encode([image]);
  const others = await Promise.all([1, 2, 3].map((i) => png([i, i, i], 31, 17)));
  const all = await encoder.encode([...others, image, ...others]);
  expect(all[3]).toEqual(alone);
});

test('an oblong image is stretched to the model’s input, not cut', async () => {
  const halves = Uint8Array.from({ length: 16 * 2 * 3 }, (_, i) =>
    Math.floor(i / 3) % 16 < 8 ? 255 : 0,
  );
  const bytes = await sharp(halves, { raw: { width: 16, height: 2, channels: 3 } })
    .png()
    .toBuffer();
  const [encoding] = await encoder.encode([{ form: 'media', mediaType: 'image/png', bytes }]);
  for (const value of encoding as Float32Array) expect(value).toBeCloseTo(0, 5);
});

test('what is no image is an error of its own, and the others are encoded', async () => {
  const bytes = Buffer.from('no image');
  const inputs: Input[] = [
    { form: 'media', mediaType: 'image/png', bytes },
    await png([255, 255, 255]),
    { form: 'text', text: 'no image' },
    { form: 'media', mediaType: 'audio/ogg', bytes },
  ];
  const [first, second, ...others] = await encoder.encode(inputs);
  expect([...(second as Float32Array)]).toEqual([1, 1, 1]);
  for (const error of [first, ...others]) {
    expect(error).toMatchObject({ code: 'input_not_encodable', retry: 'terminal' });
  }
  expect((first as LegonetError).message).not.toContain('no image');
  expect(await encoder.encode(inputs.slice(2))).toHaveLength(2);
  expect(await encoder.encode([])).toEqual([]);
});

test('when the signal aborts, no further image is decoded or encoded, and its reason is thrown', async () => {
  const LAST = 40;
  const stopped = new AbortController();
  const { bytes } = (await png([1, 2, 3])) as { readonly bytes: Uint8Array };
  let asked = 0;
  const inputs = Array.from(
    { length: 1000 },
    (): Input => ({
      form: 'media',
      mediaType: 'image/png',
      get bytes() {
        if (++asked === LAST) stopped.abort(new Error('enough'));
        return bytes;
      },
    }),
  );
  await expect(encoder.encode(inputs, stopped.signal)).rejects.toThrow('enough');
  // Whatever was being worked on is through when this is.
  expect(await encoder.encode([await png([255, 255, 255])])).toHaveLength(1);
  expect(asked).toBe(LAST);
  await expect(encoder.encode(inputs, stopped.signal)).rejects.toThrow('enough');
  expect(asked).toBe(LAST);
});

test('a stop is no failure of the encoder', async () => {
  const files = async () => smallFiles;
  const opened = await openEncoder(tinyModel({ encoder: smallEncoder }), { engine: 'wasm', files });
  const stopped = AbortSignal.abort(new Error('enough'));
  await expect(opened?.encode([await png([1, 2, 3])], stopped)).rejects.toBe(stopped.reason);
  await opened?.close();
});

test('a model whose output is not of the dimension that is told, or has no such layer, is refused', async () => {
  const open = (changes: object) =>
    openTfjsEncoder({ ...smallEncoder, ...changes }, smallFiles, 'wasm');
  await expect(open({ dimension: 4 })).rejects.toMatchObject({ code: 'invalid_model' });
  await expect(open({ layer: 'median' })).rejects.toMatchObject({ code: 'engine_model' });
});
