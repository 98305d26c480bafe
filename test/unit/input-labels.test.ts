import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openInput } from '#src/cli/input/input.js';
import type { InputOptions } from '#src/cli/input/rows.js';
import { readRows, temporaryFolder } from '../support/input.js';
import { writeNpy } from '../support/npy.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const encodings = writeNpy(at('x.npy'), { type: 'u1', shape: [4, 1], values: [1, 2, 3, 4] });

async function labelsOf(labels: string, options: InputOptions = {}) {
  const rows = await readRows(encodings, { labels, ...options });
  return rows.map((row) => (row.kind === 'sample' ? row.label : row.kind));
}

function text(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

test.each(['u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8'])(
  'labels of type %s are class indices, or their own text without classes',
  async (type) => {
    for (const bigEndian of [false, true]) {
      const array = { type, shape: [4], values: [2, 0, 1, 0], bigEndian };
      const labels = writeNpy(at(`${type}.npy`), array);
      expect(await labelsOf(labels)).toEqual(['2', '0', '1', '0']);
      const classes = ['ant', 'bee', 'cat'];
      expect(await labelsOf(labels, { classes })).toEqual(['cat', 'ant', 'bee', 'ant']);
    }
  },
);

test('an index that no class has makes its row bad', async () => {
  const labels = writeNpy(at('wild.npy'), { type: 'i4', shape: [4], values: [0, 2, -1, 1] });
  expect(await labelsOf(labels, { classes: ['ant', 'bee'] })).toEqual(['ant', 'bad', 'bad', 'bee']);
});

test('integers beyond 2^53 keep their digits', async () => {
  const values = [2 ** 60, 0, 0, -(2 ** 60)];
  const labels = writeNpy(at('large.npy'), { type: 'i8', shape: [4], values });
  expect((await labelsOf(labels))[0]).toBe('1152921504606846976');
});

test('a text file gives one label a line, with any line ends, zipped or not', async () => {
  const expected = ['ant', 'bee', 'çà', 'dog'];
  expect(await labelsOf(text('a.txt', 'ant\nbee\nçà\ndog\n'))).toEqual(expected);
  expect(await labelsOf(text('b.txt', 'ant\r\nbee\r\nçà\r\ndog'))).toEqual(expected);
  expect(await labelsOf(text('c.txt', '\ufeffant\nbee\nçà\ndog'))).toEqual(expected);
  expect(await labelsOf(text('d.txt.gz', gzipSync('ant\nbee\nçà\ndog\n')))).toEqual(expected);
});

test('an empty line, or one that is not UTF-8, makes its row bad and shifts no other', async () => {
  const bytes = Buffer.from('ant\n\n\xe7\ndog\n', 'latin1');
  expect(await labelsOf(text('gap.txt', bytes))).toEqual(['ant', 'bad', 'bad', 'dog']);
});

test('labels stay with their rows when reading starts later', async () => {
  const lines = text('resume.txt', 'a\nb\nc\nd\n');
  const numbers = writeNpy(at('resume.npy'), { type: 'i4', shape: [4], values: [5, 6, 7, 8] });
  for (const batchRows of [1, 3]) {
    expect(await labelsOf(lines, { from: 1, batchRows })).toEqual(['b', 'c', 'd']);
    expect(await labelsOf(numbers, { from: 2, limit: 1, batchRows })).toEqual(['7']);
  }
});

test('more or fewer labels than encodings are refused before any row', async () => {
  const mismatch = { code: 'labels_mismatch' };
  const short = writeNpy(at('short.npy'), { type: 'u1', shape: [3], values: [0, 1, 2] });
  const long = text('long.txt', 'a\nb\nc\nd\ne\n');
  await expect(openInput(encodings, { labels: short })).rejects.toMatchObject(mismatch);
  await expect(openInput(encodings, { labels: long })).rejects.toMatchObject(mismatch);
});

test('labels that are missing, or are not integers, are refused', async () => {
  const labels = at('absent.txt');
  const missing = { code: 'input_not_found' };
  await expect(openInput(encodings, { labels })).rejects.toMatchObject(missing);
  const floats = writeNpy(at('floats.npy'), { type: 'f4', shape: [4], values: [0, 1, 2, 3] });
  const unsupported = { code: 'input_unsupported' };
  await expect(openInput(encodings, { labels: floats })).rejects.toMatchObject(unsupported);
});
