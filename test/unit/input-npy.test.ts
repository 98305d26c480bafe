import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openInput } from '#src/cli/input/input.js';
import { decodeNumbers } from '#src/cli/input/npy-values.js';
import { readBatches, readRows, temporaryFolder } from '../support/input.js';
import { npyBytes, writeNpy } from '../support/npy.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const unlabelled = { unlabelled: true } as const;

test.each([
  ['f4', Float32Array, [1.5, -2, 0.25, 3e38]],
  ['f8', Float64Array, [0.1, -1e300, 5e-324, 2]],
  ['i1', Int8Array, [-127, 127, 0, -1]],
  ['u1', Uint8Array, [0, 255, 128, 7]],
] as const)(
  '%s is read as the numbers that were written, in either byte order',
  async (type, array, values) => {
    for (const bigEndian of [false, true]) {
      const path = writeNpy(at(`${type}.npy`), { type, shape: [2, 2], values, bigEndian });
      expect(await readRows(path, unlabelled)).toEqual([
        {
          kind: 'sample',
          sampleId: `${type}-0`,
          label: null,
          encoding: array.from(values.slice(0, 2)),
        },
        {
          kind: 'sample',
          sampleId: `${type}-1`,
          label: null,
          encoding: array.from(values.slice(2)),
        },
      ]);
    }
  },
);

test('float16 is decoded exactly: subnormals, signed zero, infinities and NaN', () => {
  const cases: [number, number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x83ff, -1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0x3555, 0.333251953125],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
    [0xfc01, Number.NaN],
  ];
  const bytes = new Uint8Array(cases.flatMap(([bits]) => [bits >> 8, bits & 0xff]));
  const values = decodeNumbers(bytes.buffer, 'f2', false);
  expect(values).toBeInstanceOf(Float32Array);
  cases.forEach(([, expected], i) => {
    expect(values[i]).toBe(expected);
  });
});

test('float16 files are read in either byte order', async () => {
  for (const bigEndian of [false, true]) {
    const values = [0x3c00, 0xc000];
    const path = writeNpy(at('half.npy'), { type: 'f2', shape: [1, 2], values, bigEndian });
    const [row] = await readRows(path, unlabelled);
    expect(row).toMatchObject({ encoding: Float32Array.of(1, -2) });
  }
});

test.each([1, 2, 3] as const)('headers of version %i are read', async (version) => {
  const array = { type: 'f4', shape: [1, 3], values: [1, 2, 3], version };
  const path = writeNpy(at(`version${version}.npy`), array);
  expect(await readRows(path, unlabelled)).toHaveLength(1);
});

test('a row that is not finite is bad by its index, and its neighbours are kept', async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const values = [1, 2, 3, value, 5, 6];
    const path = writeNpy(at('finite.npy'), { type: 'f8', shape: [3, 2], values });
    const rows = await readRows(path, unlabelled);
    expect(rows.map((row) => row.kind)).toEqual(['sample', 'bad', 'sample']);
    expect(rows[1]).toEqual({ kind: 'bad', row: 1, reason: 'number 2 is not finite' });
  }
});

test('a file shorter than its header says is refused before any row', async () => {
  const path = writeNpy(at('short.npy'), { type: 'f4', shape: [2, 2], values: [1, 2, 3] });
  await expect(openInput(path, unlabelled)).rejects.toMatchObject({ code: 'input_truncated' });
  writeFileSync(path, npyBytes({ type: 'f4', shape: [2, 2], values: [] }).subarray(0, 60));
  await expect(openInput(path, unlabelled)).rejects.toMatchObject({ code: 'input_truncated' });
});

test('a file that shrinks after it was opened ends with an error, not with zeros', async () => {
  const values = new Array(64).fill(1);
  const path = writeNpy(at('shrinks.npy'), { type: 'f8', shape: [32, 2], values });
  const input = await openInput(path, { ...unlabelled, batchRows: 4 });
  const read = async () => {
    for await (const { firstRow } of input.batches()) if (firstRow === 0) truncateSync(path, 300);
  };
  await expect(read()).rejects.toMatchObject({ code: 'input_truncated' });
});

test.each([
  [
    'bytes after the end',
    { type: 'f4', shape: [1, 2], values: [1, 2, 3] },
    'input_malformed',
    /4 bytes after/,
  ],
  [
    'Fortran order',
    { type: 'f4', shape: [1, 2], values: [1, 2], fortranOrder: true },
    'input_unsupported',
    /ascontiguousarray/,
  ],
  [
    '16-bit integers',
    { type: 'i2', shape: [1, 2], values: [1, 2] },
    'input_unsupported',
    /f2, f4, f8, i1, u1/,
  ],
  ['one dimension', { type: 'f4', shape: [2], values: [1, 2] }, 'input_malformed', /\(N, d\)/],
  [
    'three dimensions',
    { type: 'f4', shape: [1, 1, 1], values: [1] },
    'input_malformed',
    /\(N, d\)/,
  ],
  ['rows of no numbers', { type: 'f4', shape: [3, 0], values: [] }, 'input_malformed', /\(N, d\)/],
] as const)('%s: refused with a reason', async (name, array, code, message) => {
  const path = writeNpy(at(`${name.replaceAll(' ', '-')}.npy`), array);
  const error = await openInput(path, unlabelled).catch((thrown) => thrown);
  expect(error).toMatchObject({ code });
  expect(error.message).toMatch(message);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('1,2,3\n4,5,6\n')],
  ['a header that is no dictionary', Buffer.from('\x93NUMPY\x01\x00\x04\x00oops', 'latin1')],
  ['a header of 4 GiB', Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1')],
] as const)('%s in a .npy is refused', async (_, bytes) => {
  writeFileSync(at('odd.npy'), bytes);
  const error = { code: 'input_malformed' };
  await expect(openInput(at('odd.npy'), unlabelled)).rejects.toMatchObject(error);
});

test('encodings without labels are refused, and the error names the option', async () => {
  const path = writeNpy(at('alone.npy'), { type: 'f4', shape: [1, 1], values: [1] });
  const error = await openInput(path).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'labels_missing' });
  expect(error.message).toContain('--labels FILE');
});

test('an array of no rows gives no batches', async () => {
  const path = writeNpy(at('none.npy'), { type: 'f4', shape: [0, 4], values: [] });
  expect(await readBatches(path, unlabelled)).toEqual([]);
});

test('reading can start at any row and stop at any limit, with the same ids', async () => {
  const values = Array.from({ length: 20 }, (_, i) => i);
  const path = writeNpy(at('resume.npy'), { type: 'f4', shape: [10, 2], values });
  const all = await readRows(path, unlabelled);
  for (let from = 0; from <= 11; from++) {
    for (const limit of [0, 1, 3, 100]) {
      const rows = await readRows(path, { ...unlabelled, from, limit, batchRows: 2 });
      expect(rows).toEqual(all.slice(from, from + limit));
    }
  }
});

test('bytesRead ends at the size of the file', async () => {
  const values = new Array(30).fill(0);
  const path = writeNpy(at('progress.npy'), { type: 'f4', shape: [15, 2], values });
  const input = await openInput(path, { ...unlabelled, batchRows: 4 });
  const seen: number[] = [];
  for await (const batch of input.batches()) seen.push(batch.bytesRead);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(input.totalBytes);
});
