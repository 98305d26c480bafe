import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { buildModel } from '#src/model/build.js';
import {
  accuracy,
  DIGITS,
  type Digit,
  digitsModel,
  encode,
  readDigits,
  shuffledByHash,
} from '../support/digits.js';
import { kernels } from '../support/kernels.js';

const stream = readDigits('stream.csv.gz');
const held = readDigits('test.csv.gz');
const legonet = digitsModel();
/** One ridge head on everything is a model of one adapter. */
const oneHead = digitsModel({ adapters: 1, activated: 1 });

describe('the digits example', () => {
  test('has 1,400 digits to stream and 297 to test, 64 pixels of 0 to 16 each', () => {
    expect([stream.length, held.length]).toEqual([1400, 297]);
    for (const { label, pixels } of [...stream, ...held]) {
      expect(legonet.classIndex.has(label)).toBe(true);
      expect(pixels).toHaveLength(64);
      expect(pixels.every((p) => Number.isInteger(p) && p >= 0 && p <= 16)).toBe(true);
    }
  });

  test('no digit is in two of its files', () => {
    const reference = readFileSync(new URL('reference.npy', DIGITS)).subarray(128);
    const rows = Array.from({ length: 100 }, (_, i) =>
      [...reference.subarray(i * 64, (i + 1) * 64)].join(),
    );
    const all = [...rows, ...[...stream, ...held].map(({ pixels }) => pixels.join())];
    expect(new Set(all).size).toBe(1797);
  });
});

describe.each(kernels)('the digits on the $name kernel', (kernel) => {
  test('give this model for ever', () => {
    expect(buildModel(kernel, legonet, encode(legonet, stream)).modelDigest).toBe(
      '17688214f5316147e5bda9c553726aacb6758fe89a12c6dfb703b5a796dea17d',
    );
  });

  test('are told apart better by Legonet than by one ridge head on all of them', () => {
    expect(accuracy(kernel, legonet, stream, held)).toBeCloseTo(97.31, 1);
    expect(accuracy(kernel, oneHead, stream, held)).toBeCloseTo(92.59, 1);
  });

  test('are so too on the mean of five random splits', () => {
    const mean = (model: typeof legonet): number =>
      [1, 2, 3, 4, 5]
        .map((seed) => shuffledByHash([...stream, ...held], seed))
        .map((all: Digit[]) => accuracy(kernel, model, all.slice(0, 1400), all.slice(1400)))
        .reduce((sum, one) => sum + one / 5, 0);
    expect(mean(legonet)).toBeCloseTo(98.32, 1);
    expect(mean(oneHead)).toBeCloseTo(93.4, 1);
  });
});

const data = process.env.LEGONET_TEST_DATA;

test.skipIf(!data)('the example’s files are what tools/digits.mjs makes of UCI’s', () => {
  const directory = mkdtempSync(join(tmpdir(), 'legonet-digits-'));
  try {
    const tool = fileURLToPath(new URL('../../tools/digits.mjs', import.meta.url));
    execFileSync(process.execPath, [tool, join(data ?? '', 'digits/digits.csv.gz'), directory]);
    const both = (name: string) =>
      [join(directory, name), fileURLToPath(new URL(name, DIGITS))].map((path) =>
        readFileSync(path),
      );
    const [made, kept] = both('reference.npy');
    expect(made).toEqual(kept);
    // Another zlib may compress otherwise: what counts is what comes out.
    for (const name of ['stream.csv.gz', 'test.csv.gz']) {
      const [text, expected] = both(name).map((bytes) => gunzipSync(bytes));
      expect(text).toEqual(expected);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
