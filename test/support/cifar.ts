import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';

export const CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

const SIDE = 32;
const PLANE = SIDE * SIDE;
/** A label, then red, green and blue, each row by row. */
const RECORD = 1 + 3 * PLANE;

/** Writes the first test images as PNGs into folders of their classes: `cat/00017.png` is row 17. */
export async function writeCifar(data: string, folder: string, count: number): Promise<void> {
  const bytes = gunzipSync(readFileSync(join(data, 'cifar10-images/test_batch.bin.gz')));
  for (const name of CLASSES) mkdirSync(join(folder, name), { recursive: true });
  for (let row = 0; row < count; row++) {
    const record = bytes.subarray(row * RECORD, (row + 1) * RECORD);
    const rgb = Uint8Array.from(
      { length: 3 * PLANE },
      (_, i) => record[1 + (i % 3) * PLANE + Math.floor(i / 3)] ?? 0,
    );
    const png = sharp(rgb, { raw: { width: SIDE, height: SIDE, channels: 3 } }).png();
    const file = `${String(row).padStart(5, '0')}.png`;
    writeFileSync(join(folder, CLASSES[record[0] ?? 0] ?? '', file), await png.toBuffer());
  }
}
