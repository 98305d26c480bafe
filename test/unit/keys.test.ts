import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { randomKeys, referenceKeys } from '#src/model/keys.js';
import type { Quantiser } from '#src/model/quantise.js';

const sha256 = (bytes: Int8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('random keys', () => {
  test('a seed gives these bytes on every machine and in every release', () => {
    // Seen again with `openssl enc -aes-256-ctr` and Python's integers.
    const keys = randomKeys({ kind: 'random', seed: 'legonet' }, 50, 64);
    expect([...keys.subarray(0, 8)]).toEqual([34, -73, -38, 127, 29, 92, -57, -105]);
    expect(sha256(keys)).toBe('4611e0fe7bdc4c316e6ae34ed74bc1f78296bec46c954ece9ff4a84d593d5d0a');
    const placed = randomKeys(
      { kind: 'random', seed: 7, center: [10, -20.5, 0], spread: [1, 0.5, 30] },
      9,
      3,
    );
    expect(sha256(placed)).toBe('800132ededb9d5a58e592248106d216b57475886f906695e34b17c4a4513c466');
  });

  test('another seed gives other keys, more adapters keep the first ones', () => {
    const keys = randomKeys({ kind: 'random', seed: 1 }, 10, 16);
    expect(randomKeys({ kind: 'random', seed: 2 }, 10, 16)).not.toEqual(keys);
    expect(randomKeys({ kind: 'random', seed: 1 }, 20, 16).subarray(0, 160)).toEqual(keys);
  });

  test('mean and deviation are the centre and the spread', () => {
    const values = [...randomKeys({ kind: 'random', seed: 3, center: -5, spread: 20 }, 100, 100)];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // Five standard errors of 10,000 draws; rounding to integers adds 1/12 to the variance.
    expect(Math.abs(mean + 5)).toBeLessThan(1);
    expect(Math.abs(Math.sqrt(variance) - 20)).toBeLessThan(0.75);
  });

  test('spread 0 puts every key at the rounded and clipped centre', () => {
    const keys = randomKeys({ kind: 'random', seed: 4, center: [2.5, 1000], spread: 0 }, 3, 2);
    expect(keys).toEqual(Int8Array.of(2, 127, 2, 127, 2, 127));
  });

  test.each(['center', 'spread'])('%s of another length is refused by name', (name) => {
    expect(() => randomKeys({ kind: 'random', seed: 1, [name]: [1, 2, 3] }, 5, 4)).toThrow(
      expect.objectContaining({
        code: 'invalid_model',
        message: `keys.${name} has 3 numbers, not 4`,
      }),
    );
  });
});

describe('reference keys', () => {
  const quantiser: Quantiser = { inputDimension: 2, dimension: 2, scale: 2, transform: 'none' };

  test('are the first rows, quantised as samples are', () => {
    const keys = referenceKeys([[1, 2], Float32Array.of(0.75, -1), [9, 9]], quantiser, 2);
    expect(keys).toEqual(Int8Array.of(2, 4, 2, -2));
  });

  test('are taken as they are when int8 already', () => {
    expect(referenceKeys([Int8Array.of(100, -128)], quantiser, 1)).toEqual(Int8Array.of(100, -128));
  });

  test('a file with fewer rows than adapters is refused with both numbers', () => {
    expect(() => referenceKeys([[1, 2]], quantiser, 2)).toThrow(
      expect.objectContaining({
        code: 'invalid_model',
        message: 'keys.file has 1 rows, fewer than the 2 adapters',
      }),
    );
  });
});
