import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isNativeInstalled } from '#src/engine/choose.js';
import type { ImageEncoderOptions, ImageModel, Images } from '#src/engine/engine.js';

/*
 * Models and images of others are not part of the project: `LEGONET_TEST_DATA` says where they are.
 */

export const DATA = resolve(
  process.env.LEGONET_TEST_DATA ?? join(import.meta.dirname, '../../../shared/data'),
);
const MOBILENET = join(DATA, 'mobilenet-v1-0.75-224');
const CIFAR = join(DATA, 'cifar10-images/test_batch.bin.gz');
const ENCODINGS = join(DATA, 'cifar10-encodings');

/** Skips a suite for what is missing, and says so; with CI set it fails, so that nobody takes it for passed. */
function suiteWith(missing: string | null, name: string, suite: () => void): void {
  if (missing === null) describe(name, suite);
  else if (process.env.CI) test(name, () => expect.fail(missing));
  else test.skip(`${name}: SKIPPED, ${missing}`, () => undefined);
}

const withoutNative = isNativeInstalled()
  ? null
  : 'the native engine is not installed: npm run install:tensorflow';
const withoutData = [MOBILENET, CIFAR, ENCODINGS].every((path) => existsSync(path))
  ? null
  : `no MobileNet and CIFAR-10 in ${DATA} (LEGONET_TEST_DATA)`;

export const nativeOrSkip = (name: string, suite: () => void): void =>
  suiteWith(withoutNative, name, suite);

/** A suite that needs the data, on whatever engine there is. */
export const dataOrSkip = (name: string, suite: () => void): void =>
  suiteWith(withoutData, name, suite);

/** A suite that needs the native engine, and the data. */
export const nativeDataOrSkip = (name: string, suite: () => void): void =>
  suiteWith(withoutNative ?? withoutData, name, suite);

/** MobileNet v1 0.75, cut before its classifier, on images of 128 x 128. */
export const MOBILENET_OPTIONS: ImageEncoderOptions = {
  output: 'global_average_pooling2d_1',
  height: 128,
  width: 128,
  divisor: 127.5,
  offset: 1,
};

export function readMobilenet(): ImageModel {
  const manifest = JSON.parse(readFileSync(join(MOBILENET, 'model.json'), 'utf8'));
  const groups: readonly { paths: readonly string[] }[] = manifest.weightsManifest;
  const files = groups.flatMap(({ paths }) => paths);
  const weights = Buffer.concat(files.map((file) => readFileSync(join(MOBILENET, file))));
  return { manifest, weights };
}

const SIZE = 32;
const PLANE = SIZE * SIZE;

/** The first images of CIFAR-10's test batch: a byte for the class, then red, green and blue planes. */
export function readCifar(count: number): Images {
  const bytes = gunzipSync(readFileSync(CIFAR));
  const values = Uint8Array.from({ length: count * PLANE * 3 }, (_, i) => {
    const [image, pixel, color] = [Math.trunc(i / (3 * PLANE)), Math.trunc(i / 3) % PLANE, i % 3];
    return bytes[image * (3 * PLANE + 1) + 1 + color * PLANE + pixel] ?? 0;
  });
  return { values, count, height: SIZE, width: SIZE };
}

/** `size` images at a time. */
export function inParts({ values, count, height, width }: Images, size: number): Images[] {
  const each = height * width * 3;
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const part = values.subarray(i * size * each, (i + 1) * size * each);
    return { values: part, count: part.length / each, height, width };
  });
}
