import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCsv } from '#src/cli/input/csv.js';
import { openInput } from '#src/cli/input/input.js';
import { toNumber } from '#src/cli/input/number.js';
import { asChunks, cut, readBatches, readRows, rowsOf, temporaryFolder } from '../support/input.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

const read = (text: string | Uint8Array, unlabelled = false, places: number[] = []) => {
  const chunks = cut(Buffer.from(text), places);
  return rowsOf(
    readCsv(asChunks(chunks), { name: 'x.csv', idPrefix: 'x-', unlabelled, texts: false }),
  );
};
const sample = (sampleId: string, label: string | null, numbers: number[], subjectId?: string) => ({
  kind: 'sample',
  sampleId,
  label,
  encoding: Float64Array.from(numbers),
  ...(subjectId !== undefined && { subjectId }),
});

const texts = (text: string) =>
  rowsOf(
    readCsv(asChunks([Buffer.from(text)]), {
      name: 'x.csv',
      idPrefix: 'x-',
      unlabelled: false,
      texts: true,
    }),
  );

test('a column named text holds texts as they are, where texts are asked for', async () => {
  expect(await texts('label,text,id\ncat," Miau,\n""so"" ",s1\ndog,,s2\n')).toEqual([
    { kind: 'input', sampleId: 's1', label: 'cat', input: { form: 'text', text: ' Miau,\n"so" ' } },
    { kind: 'input', sampleId: 's2', label: 'dog', input: { form: 'text', text: '' } },
  ]);
  expect(await texts('1,2,cat\n')).toEqual([sample('x-0', 'cat', [1, 2])]);
  await expect(texts('label,text,size\ncat,Miau,3\n')).rejects.toMatchObject({
    code: 'input_malformed',
  });
  await expect(texts('text\nMiau\n')).rejects.toMatchObject({ code: 'labels_missing' });
});

test('without a header the last column is the label and the row index makes the id', async () => {
  expect(await read('1,2.5,cat\n-3,4e1,dog\n')).toEqual([
    sample('x-0', 'cat', [1, 2.5]),
    sample('x-1', 'dog', [-3, 40]),
  ]);
});

test('without labels every column is a number', async () => {
  expect(await read('1,2\n3,4', true)).toEqual([
    sample('x-0', null, [1, 2]),
    sample('x-1', null, [3, 4]),
  ]);
});

test('a header names label, sample id and subject id in any case and place', async () => {
  const rows = [sample('a', 'cat', [1, 2], 'ada'), sample('b', 'dog', [3, 4])];
  expect(await read('Sample_ID,f0,LABEL,f1,subjectId\na,1,cat,2,ada\nb,3,dog,4,\n')).toEqual(rows);
  expect(await read('class,ID,f0,f1,subject_id\ncat,a,1,2,ada\ndog,b,3,4,\n')).toEqual(rows);
});

test('a header whose feature columns are numbered is a header', async () => {
  expect(await read('0,1,label\n5,6,cat\n')).toEqual([sample('x-0', 'cat', [5, 6])]);
});

test('quotes, line ends and a byte-order mark are read as RFC 4180 and spreadsheets have them', async () => {
  const expected = [sample('x-0', 'a, "b"', [1, 2]), sample('x-1', 'c', [3, 4])];
  expect(await read('1,2,"a, ""b"""\n3,4,c\n')).toEqual(expected);
  expect(await read('"1","2","a, ""b"""\r\n3,4,c\r\n')).toEqual(expected);
  expect(await read('1,2,"a, ""b"""\r\n3,4,c\n')).toEqual(expected);
  expect(await read('\ufeff1,2,"a, ""b"""\n\n3,4,c')).toEqual(expected);
});

test('a row that does not fit is bad, by index and reason, and is never quoted', async () => {
  const text =
    '1,2,cat\n1,secret,cat\n1,2\n1,2,3,cat\n1,,cat\n1,inf,cat\n1,0x10,cat\n1,2,\n3,4,dog\n';
  const rows = await read(text);
  expect(rows).toEqual([
    sample('x-0', 'cat', [1, 2]),
    { kind: 'bad', row: 1, reason: 'field 2 is not a finite number' },
    { kind: 'bad', row: 2, reason: '2 fields, not 3' },
    { kind: 'bad', row: 3, reason: '4 fields, not 3' },
    { kind: 'bad', row: 4, reason: 'field 2 is not a finite number' },
    { kind: 'bad', row: 5, reason: 'field 2 is not a finite number' },
    { kind: 'bad', row: 6, reason: 'field 2 is not a finite number' },
    { kind: 'bad', row: 7, reason: 'the label is empty' },
    sample('x-8', 'dog', [3, 4]),
  ]);
});

test('a first row with a missing number is a bad row, not a header', async () => {
  for (const missing of ['', 'NaN', 'inf', 'NA', 'null']) {
    expect((await read(`1,${missing},cat\n3,4,dog\n`)).map((row) => row.kind)).toEqual([
      'bad',
      'sample',
    ]);
  }
});

test('an id or label that is not UTF-8, or that swallowed a line, is bad', async () => {
  const latin = Buffer.from('id,f,label\n\xe7,1,cat\nb,2,dog\n', 'latin1');
  expect((await read(latin)).map((row) => row.kind)).toEqual(['bad', 'sample']);
  expect((await read('1,"cat\n2,dog"\n3,emu\n')).map((row) => row.kind)).toEqual(['bad', 'sample']);
});

test.each([
  ['names mixed with numbers', '1,two,3,cat\n4,5,6,dog\n', /mixes names and numbers/],
  ['two label columns', 'f0,label,class\n1,cat,dog\n', /two columns/],
  ['a column without a name', ',f0,label\n0,1,cat\n', /has no name/],
  ['a single column', 'cat\ndog\n', /0 columns of numbers/],
  ['another separator', '1;2;cat\n3;4;dog\n', /0 columns of numbers/],
  [
    'a quote never closed',
    '1,2,cat\n3,4,"dog\n5,6,emu\n',
    /record 2 of the file has a quote that is never closed/,
  ],
  [
    'a row without an end',
    `1,2,cat\n3,4,${'x'.repeat(2 ** 21)}`,
    /record 2 of the file is longer than 1024 KiB/,
  ],
])('%s: refused with a reason that quotes no row', async (_, text, reason) => {
  const error = await read(text).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'input_malformed' });
  expect(error.message).toMatch(reason);
  expect(error.message).not.toMatch(/cat|dog/);
  expect(error.cause).toBeUndefined();
});

test('a header without a label column is refused when labels are needed', async () => {
  await expect(read('f0,f1\n1,2\n')).rejects.toMatchObject({ code: 'labels_missing' });
  expect(await read('f0,f1\n1,2\n', true)).toEqual([sample('x-0', null, [1, 2])]);
});

test('numbers are read as JavaScript reads decimals, and nothing else is a number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      // Not `value` itself: -0 is written as 0.
      expect(toNumber(String(value))).toBe(Number(String(value)));
      expect(toNumber(` ${value} `)).toBe(Number(String(value)));
    }),
  );
  for (const text of ['.5', '5.', '+5', '0', '00', '0e5', '0.5E-3']) {
    expect(toNumber(text)).toBe(Number(text));
  }
  for (const text of [
    '',
    ' ',
    '\u00a0',
    '0x10',
    ' 0x10',
    '0b1',
    '0o7',
    '1_0',
    '1,5',
    '.',
    '-',
    'e5',
  ]) {
    expect(toNumber(text)).toBeNaN();
  }
});

test('any chunking of the stream gives the same rows', async () => {
  const field = fc.oneof(
    fc.double({ noDefaultInfinity: true, noNaN: true }).map(String),
    fc.constantFrom('', 'x', '"1"', '"a ""b"", c"', 'é', '"line\nbreak"'),
  );
  const record = fc
    .tuple(field, field, fc.constantFrom('cat', '"é, ""q"""', ''))
    .map((f) => f.join(','));
  const file = fc.tuple(
    fc.constantFrom('', '\ufeff'),
    fc.constantFrom('1,2,cat', 'f0,f1,label'),
    fc.array(record, { maxLength: 8 }),
    fc.constantFrom('\n', '\r\n'),
  );
  await fc.assert(
    fc.asyncProperty(file, fc.array(fc.nat(400), { maxLength: 12 }), async (parts, places) => {
      const [mark, first, records, end] = parts;
      const text = `${mark}${[first, ...records].join(end)}${end}`;
      const result = (p: number[]) => read(text, false, p).catch((error) => error.code);
      const everyByte = Array.from({ length: Buffer.byteLength(text) }, (_, i) => i);
      const whole = await result([]);
      expect(await result(places)).toEqual(whole);
      expect(await result(everyByte)).toEqual(whole);
    }),
  );
});

test('a zipped file reads as the plain one, and bytesRead counts bytes on disk', async () => {
  const text = Array.from({ length: 5000 }, (_, i) => `${i},${i * 2},c${i % 3}`).join('\n');
  writeFileSync(at('rows.csv'), text);
  writeFileSync(at('rows.csv.gz'), gzipSync(text));
  const plain = await readBatches(at('rows.csv'));
  const zipped = await readBatches(at('rows.csv.gz'));
  expect(zipped.flatMap((batch) => batch.rows)).toEqual(plain.flatMap((batch) => batch.rows));
  expect(zipped.map((batch) => batch.firstRow)).toEqual([0, 1000, 2000, 3000, 4000]);
  const { totalBytes } = await openInput(at('rows.csv.gz'));
  expect(zipped.at(-1)?.bytesRead).toBe(totalBytes);
});

test('a damaged gzip is an error, whether cut short or altered', async () => {
  const zipped = gzipSync('1,2,cat\n'.repeat(10_000));
  writeFileSync(at('cut.csv.gz'), zipped.subarray(0, -20));
  await expect(readRows(at('cut.csv.gz'))).rejects.toMatchObject({ code: 'input_truncated' });
  writeFileSync(at('plain.csv.gz'), '1,2,cat\n');
  await expect(readRows(at('plain.csv.gz'))).rejects.toMatchObject({ code: 'input_malformed' });
});

test('reading resumes at any row, bad rows counted, with the same ids', async () => {
  writeFileSync(at('resume.csv'), 'f0,label\n1,a\nx,b\n3,c\n\n4,d\n5,e\n');
  const all = await readRows(at('resume.csv'));
  expect(all).toHaveLength(5);
  for (let from = 0; from <= 6; from++) {
    const batches = await readBatches(at('resume.csv'), { from, limit: 3, batchRows: 2 });
    expect(batches.flatMap((batch) => batch.rows)).toEqual(all.slice(from, from + 3));
    let next = from;
    for (const batch of batches) {
      expect(batch.firstRow).toBe(next);
      next += batch.rows.length;
    }
  }
});

const data = process.env.LEGONET_TEST_DATA;
const digits = data === undefined ? undefined : join(data, 'digits/digits.csv.gz');
const present = digits !== undefined && existsSync(digits);
if (!present)
  console.warn('digits not read: set LEGONET_TEST_DATA to the folder that holds digits/');

test.skipIf(!present)('the UCI digits are 1,797 samples of 64 pixels in ten classes', async () => {
  const rows = await readRows(digits ?? '');
  expect(rows).toHaveLength(1797);
  const labels = new Set<string | null>();
  for (const row of rows) {
    if (row.kind !== 'sample') throw new Error(`unexpected ${row.kind} row`);
    expect(row.encoding).toHaveLength(64);
    labels.add(row.label);
  }
  expect([...labels].sort()).toEqual([...'0123456789']);
  expect(rows[0]).toMatchObject({ sampleId: 'digits-0', label: '0' });
});
