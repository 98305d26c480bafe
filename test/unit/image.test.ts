import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage, MAX_PIXELS } from '#src/engine/image.js';

/** An image whose pixels are given one by one, each with as many channels. */
function image(width: number, pixels: readonly (readonly number[])[]): Sharp {
  const channels = (pixels[0]?.length ?? 3) as 1 | 2 | 3 | 4;
  const height = pixels.length / width;
  return sharp(Uint8Array.from(pixels.flat()), { raw: { width, height, channels } });
}

const RED = [255, 0, 0];
const BLUE = [0, 0, 255];
const GREY = [90, 90, 90];

async function decode(encoded: Sharp, mediaType = 'image/png') {
  const { width, height, rgb } = await decodeImage(mediaType, await encoded.toBuffer());
  return { size: [width, height], rgb: [...rgb] };
}

test('PNG and WebP give the pixels that they were made of, row by row', async () => {
  const pixels = [RED, BLUE, GREY, [1, 2, 3], [4, 5, 6], [7, 8, 9]];
  const expected = { size: [3, 2], rgb: pixels.flat() };
  expect(await decode(image(3, pixels).png())).toEqual(expected);
  expect(await decode(image(3, pixels).webp({ lossless: true }), 'image/webp')).toEqual(expected);
});

test('a JPEG gives pixels near to those it was made of', async () => {
  const pixels = Array.from({ length: 64 }, () => [200, 100, 50]);
  const { size, rgb } = await decode(image(8, pixels).jpeg(), 'image/jpeg');
  expect(size).toEqual([8, 8]);
  const error = Math.max(...rgb.map((value, i) => Math.abs(value - ([200, 100, 50][i % 3] ?? 0))));
  expect(error).toBeLessThanOrEqual(2);
});

test('whatever the channels, depth and colour space, there come three channels of 8-bit sRGB', async () => {
  expect((await decode(image(1, [[90]]).png())).rgb).toEqual(GREY);
  expect((await decode(image(1, [RED]).toColourspace('rgb16').png())).rgb).toEqual(RED);
  expect((await decode(image(1, [RED]).png({ palette: true }))).rgb).toEqual(RED);
  const green = Array.from({ length: 64 }, () => [0, 128, 0]);
  const wide = await image(8, green).withIccProfile('p3').png().toBuffer();
  const { rgb } = await decodeImage('image/png', wide);
  expect(rgb[1]).toBeGreaterThanOrEqual(125);
  expect(Math.max(rgb[0] ?? 255, rgb[2] ?? 255)).toBeLessThanOrEqual(8);
  const cmyk = image(8, green).toColourspace('cmyk').jpeg();
  expect((await decode(cmyk, 'image/jpeg')).rgb).toHaveLength(3 * 64);
});

test('what is transparent shows white', async () => {
  const pixels = [
    [...RED, 0],
    [...RED, 255],
    [0, 0, 0, 51],
  ].map((one) => [...one]);
  expect((await decode(image(3, pixels).png())).rgb).toEqual([
    255,
    255,
    255,
    ...RED,
    204,
    204,
    204,
  ]);
});

test('an image is turned upright as its EXIF orientation says', async () => {
  const lying = image(2, [RED, BLUE]).withMetadata({ orientation: 6 }).png();
  expect(await decode(lying)).toEqual({ size: [1, 2], rgb: [...RED, ...BLUE] });
});

test('of an animation the first frame is taken', async () => {
  const frames = await Promise.all([RED, BLUE].map((one) => image(1, [one]).png().toBuffer()));
  const animation = sharp(frames, { join: { animated: true } }).webp({ lossless: true });
  expect(await decode(animation, 'image/webp')).toEqual({ size: [1, 1], rgb: RED });
});

test('the bytes say which of the formats it is, not the media type', async () => {
  expect((await decode(image(1, [RED]).png(), 'image/jpeg')).rgb).toEqual(RED);
});

const blank = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#000' } }).png();
const noise = sharp({
  create: {
    width: 200,
    height: 200,
    channels: 3,
    background: '#000',
    noise: { type: 'gaussian', mean: 128, sigma: 30 },
  },
});
const half = async (encoded: Sharp) => {
  const bytes = await encoded.toBuffer();
  return bytes.subarray(0, bytes.length / 2);
};

test.each<[string, string, () => Promise<Uint8Array>, RegExp]>([
  ['nothing', 'image/png', async () => new Uint8Array(), /not a PNG, JPEG or WebP/],
  ['noise', 'image/png', async () => new Uint8Array(4096).fill(7), /not a PNG, JPEG or WebP/],
  ['a PNG cut short', 'image/png', () => half(noise.clone().png()), /cannot be decoded/],
  ['a JPEG cut short', 'image/jpeg', () => half(noise.clone().jpeg()), /cannot be decoded/],
  ['a WebP cut short', 'image/webp', () => half(noise.clone().webp()), /cannot be decoded/],
  ['a GIF', 'image/png', () => image(1, [RED]).gif().toBuffer(), /not a PNG, JPEG or WebP/],
  ['a TIFF', 'image/png', () => image(1, [RED]).tiff().toBuffer(), /not a PNG, JPEG or WebP/],
  [
    'an SVG',
    'image/png',
    async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    /not a PNG, JPEG or WebP/,
  ],
  ['another media type', 'image/gif', () => image(1, [RED]).png().toBuffer(), /media type/],
  ['a small file of very many pixels', 'image/png', () => blank(4097, 2048).toBuffer(), /pixels/],
])('%s is refused with a reason', async (_, mediaType, bytes, reason) => {
  const error = await decodeImage(mediaType, await bytes()).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'input_not_encodable', retry: 'terminal' });
  expect(error.message).toMatch(reason);
});

test('an image of just as many pixels as may be is decoded', async () => {
  const { width, height } = await decodeImage('image/png', await blank(4096, 2048).toBuffer());
  expect(width * height).toBe(MAX_PIXELS);
});
