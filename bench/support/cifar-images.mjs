// The test images of CIFAR-10, as PNGs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';

const SIDE = 32;
const PLANE = SIDE * SIDE;
/** A label, then red, green and blue, each row by row. */
const RECORD = 1 + 3 * PLANE;

/** The first images as inputs of events, in the order of `test-encodings.npy`. */
export async function readPngs(data, count) {
  const bytes = gunzipSync(readFileSync(join(data, 'cifar10-images/test_batch.bin.gz')));
  const images = Math.min(count, bytes.length / RECORD);
  const pngs = [];
  for (let i = 0; i < images; i++) {
    const planes = bytes.subarray(i * RECORD + 1, (i + 1) * RECORD);
    pngs.push({ form: 'media', mediaType: 'image/png', bytes: await toPng(planes) });
  }
  return pngs;
}

function toPng(planes) {
  const rgb = new Uint8Array(3 * PLANE);
  for (let i = 0; i < rgb.length; i++) rgb[i] = planes[(i % 3) * PLANE + Math.floor(i / 3)];
  return sharp(rgb, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
}
