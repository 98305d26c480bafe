import { expect, test } from 'vitest';
import type { Engine, Images } from '#src/engine/engine.js';
import { openImageEncoder } from '#src/engine/image-encoder.js';
import {
  inParts,
  MOBILENET_OPTIONS,
  nativeDataOrSkip,
  readCifar,
  readMobilenet,
} from '../support/tensorflow.js';

const IMAGES = 208;

/** int8, as `transform: sqrt` and a scale of 127 / 2.45 make them. */
const quantised = (encodings: Float32Array): number[] =>
  Array.from(encodings, (value) => Math.min(127, Math.round(Math.sqrt(value) * (127 / 2.45))));

async function encodeParts(engine: Engine, parts: readonly Images[]): Promise<Float32Array> {
  const encoder = await openImageEncoder(engine, readMobilenet(), MOBILENET_OPTIONS);
  try {
    const encodings = await Promise.all(parts.map((part) => encoder.encode(part)));
    return Float32Array.from(encodings.flatMap((part) => [...part]));
  } finally {
    await encoder.close();
  }
}

nativeDataOrSkip('MobileNet on CIFAR-10', () => {
  test('has int8 encodings that differ by at most 1 in at most 0.1 % between the engines', async () => {
    const parts = inParts(readCifar(IMAGES), 16);
    const native = quantised(await encodeParts('native', parts));
    const wasm = quantised(await encodeParts('wasm', parts));
    expect(native).toHaveLength(IMAGES * 768);
    const differences = native
      .map((value, i) => Math.abs(value - (wasm[i] ?? Number.NaN)))
      .filter((difference) => difference !== 0);
    expect(differences.filter((difference) => difference !== 1)).toEqual([]);
    expect(differences.length / native.length).toBeLessThanOrEqual(0.001);
  });

  test.each<Engine>(['native', 'wasm'])(
    'has on the %s engine the same bits in any company',
    async (engine) => {
      const images = readCifar(36);
      const [alone, together] = await Promise.all(
        [inParts(images, 1), [images]].map((parts) => encodeParts(engine, parts)),
      );
      expect(alone).toEqual(together);
    },
  );
});
