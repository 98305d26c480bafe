import { createCipheriv, createHash } from 'node:crypto';

/** The next so many bytes. */
export type Draw = (bytes: number) => Buffer;

/** AES-256-CTR under the SHA-256 of a text: the same bytes on every machine. */
export function drawsFrom(text: string): Draw {
  const key = createHash('sha256').update(text).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (bytes) => stream.update(Buffer.alloc(bytes));
}

const UNIFORMS = 12;

/**
 * Near normal with mean 0 and variance 1: sums of twelve uniforms (Irwin-Hall). Exact arithmetic, where
 * Math.log and Math.cos may differ between engines.
 */
export function nearNormals(draw: Draw, count: number): Float64Array {
  const bytes = draw(count * 2 * UNIFORMS);
  return Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < UNIFORMS; k++) sum += bytes.readUInt16LE(2 * (i * UNIFORMS + k));
    return (sum - UNIFORMS * 32767.5) / 65536;
  });
}

/** 0 ... count - 1 in an order of which each is as likely (Fisher-Yates). */
export function permutation(draw: Draw, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = below(draw, i + 1);
    const swapped = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swapped;
  }
  return order;
}

/** Uniform in 0 ... n - 1; what would make some likelier is drawn again. */
function below(draw: Draw, n: number): number {
  const limit = 2 ** 32 - (2 ** 32 % n);
  for (;;) {
    const value = draw(4).readUInt32LE();
    if (value < limit) return value % n;
  }
}
