import { createHash } from 'node:crypto';
import type { EngineDescription } from './engine.js';
import type { TensorFlow } from './tensorflow.js';

/** What this thread's engine is, and how it rounds. */
export function describeEngine(opened: TensorFlow): EngineDescription {
  const { engine, tf, tensorflow } = opened;
  return {
    engine,
    tensorflowJs: tf.version_core,
    tensorflow,
    architecture: engine === 'native' ? process.arch : 'wasm32-simd',
    probe: probe(tf),
  };
}

/**
 * SHA-256 over float32 results of the operations that encoders and adapters consist of, large enough to be split among
 * threads and blocks: products, a softmax, convolutions, resizing, means.
 */
function probe(tf: TensorFlow['tf']): string {
  const hash = createHash('sha256');
  tf.tidy(() => {
    const next = numbers();
    const x = tf.tensor2d(next(256 * 384), [256, 384]);
    const w = tf.tensor2d(next(384 * 96), [384, 96]);
    const scores = tf.softmax(tf.matMul(x, w));
    const images = tf.tensor4d(next(4 * 31 * 31 * 3), [4, 31, 31, 3]);
    const resized = tf.image.resizeBilinear(images, [64, 64]);
    const kernel = tf.tensor4d(next(3 * 3 * 3 * 24), [3, 3, 3, 24]);
    const convolved = tf.relu6(tf.conv2d(resized, kernel, 2, 'same'));
    const each = tf.tensor4d(next(3 * 3 * 24), [3, 3, 24, 1]);
    const deep = tf.depthwiseConv2d(convolved, each, 1, 'same');
    const points = tf.conv2d(deep, tf.tensor4d(next(24 * 48), [1, 1, 24, 48]), 1, 'same');
    const gradient = tf.matMul(x, tf.sub(scores, tf.onesLike(scores)), true, false);
    for (const result of [scores, resized, points, tf.mean(points, [1, 2]), gradient]) {
      const values = result.dataSync();
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  });
  return hash.digest('hex');
}

/** Numbers that are the same everywhere, -1 ... 1: Lehmer's generator of Park and Miller, exact in a double. */
function numbers(): (count: number) => Float32Array {
  let state = 20_221_028;
  return (count) =>
    Float32Array.from({ length: count }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2 ** 30 - 1;
    });
}
