import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { DATA, readCifar } from './tensorflow.js';

export const CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
const NPY_HEADER = 128;

/** Writes the first test images as PNGs into folders of their classes: `cat/00017.png` is row 17. */
export async function writeCifar(folder: string, count: number): Promise<void> {
  const { values, width, height } = readCifar(count);
  const labels = readFileSync(join(DATA, 'cifar10-encodings/test-labels.npy')).subarray(NPY_HEADER);
  for (const name of CLASSES) mkdirSync(join(folder, name), { recursive: true });
  const each = width * height * 3;
  for (let row = 0; row < count; row++) {
    const rgb = values.slice(row * each, (row + 1) * each);
    const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const file = `${String(row).padStart(5, '0')}.png`;
    writeFileSync(join(folder, CLASSES[labels[row] ?? 0] ?? '', file), png);
  }
}
