import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openInput } from '#src/cli/input/input.js';
import { LINE_BYTES, splitLines } from '#src/cli/input/lines.js';
import { readNdjson } from '#src/cli/input/ndjson.js';
import { asChunks, cut, readRows, rowsOf, temporaryFolder } from '../support/input.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

async function lines(text: string, places: number[] = []) {
  const chunks = cut(Buffer.from(text, 'latin1'), places);
  const rows = await rowsOf(readNdjson(asChunks(chunks)));
  return rows.map((row) => (row.kind === 'raw' ? textOf(row.bytes) : row.kind));
}

test('each line is a raw row, its bytes as they are; blank lines and line ends are left out', async () => {
  expect(await lines('{"a":1}\n\n  \t\r\n{"b":"\xff"}\r\n not json \n{"c":3}')).toEqual([
    '{"a":1}',
    '{"b":"\xff"}',
    ' not json ',
    '{"c":3}',
  ]);
  expect(await lines('')).toEqual([]);
  expect(await lines('\xef\xbb\xbf{}\n{}')).toEqual(['{}', '{}']);
});

test('any chunking of the stream gives the same lines, long ones included', async () => {
  const line = fc.string({
    unit: fc.constantFrom('a', '\r', '\xef', '\xbb', '\xbf', ' '),
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.array(fc.nat(100), { maxLength: 12 }),
      async (parts, places) => {
        const bytes = Buffer.from(parts.join('\n'), 'latin1');
        const split = async (chunks: Uint8Array[]) => {
          const out: (string | undefined)[] = [];
          for await (const group of splitLines(asChunks(chunks), 8)) {
            out.push(...group.lines.map((each) => each && textOf(each)));
          }
          return out;
        };
        const whole = await split([bytes]);
        expect(await split(cut(bytes, places))).toEqual(whole);
        const expected = parts.map((part, i) => {
          if (part.length > 8) return undefined;
          const text = part.replace(/\r$/, '');
          return i === 0 ? text.replace(/^\xef\xbb\xbf/, '') : text;
        });
        if (parts.at(-1) === '') expected.pop();
        expect(whole).toEqual(expected);
      },
    ),
  );
});

test('a line over 4 MiB is bad, and the lines around it are kept', async () => {
  const long = 'x'.repeat(LINE_BYTES + 1);
  const full = 'y'.repeat(LINE_BYTES);
  writeFileSync(at('long.ndjson'), `{"a":1}\n${long}\n${full}\n{"b":2}\n`);
  const rows = await readRows(at('long.ndjson'));
  expect(rows.map((row) => row.kind)).toEqual(['raw', 'bad', 'raw', 'raw']);
  expect(rows[1]).toEqual({ kind: 'bad', row: 1, reason: 'the line is longer than 4 MiB' });
});

test('a line without an end is not kept in memory', async () => {
  const mebibyte = 1024 * 1024;
  let held = 0;
  async function* endless() {
    for (let i = 0; i < 512; i++) {
      yield new Uint8Array(mebibyte);
      held = Math.max(held, process.memoryUsage().arrayBuffers);
    }
  }
  const before = process.memoryUsage().arrayBuffers;
  const rows = await rowsOf(readNdjson(endless()));
  expect(rows.map((row) => row.kind)).toEqual(['bad']);
  expect(held - before).toBeLessThan(256 * mebibyte);
});

test('.jsonl and .ndjson.gz are read as .ndjson, and reading resumes at any row', async () => {
  const text = Array.from({ length: 10 }, (_, i) => `{"i":${i}}`).join('\n\n');
  for (const [name, bytes] of [
    ['a.jsonl', text],
    ['a.ndjson', text],
    ['a.ndjson.gz', gzipSync(text)],
  ] as const) {
    writeFileSync(at(name), bytes);
    const rows = await readRows(at(name), { from: 4, limit: 3, batchRows: 2 });
    const texts = rows.map((row) => row.kind === 'raw' && textOf(row.bytes));
    expect(texts).toEqual(['{"i":4}', '{"i":5}', '{"i":6}']);
  }
});

test('files that are absent, of no known kind or not files are refused', async () => {
  await expect(openInput(at('no.csv'))).rejects.toMatchObject({ code: 'input_not_found' });
  const error = await openInput(at('x.parquet')).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'input_unsupported' });
  expect(error.message).toMatch(/\.csv, .*\.ndjson, .*\.npy/);
  await expect(openInput('/dev/null/x.csv')).rejects.toMatchObject({ code: 'input_not_found' });
  const options = { labels: at('labels.txt') };
  await expect(openInput(at('a.jsonl'), options)).rejects.toMatchObject({
    code: 'input_unsupported',
  });
});

test('an abort stops reading with its reason, and leaving early closes the file', async () => {
  writeFileSync(at('abort.ndjson'), '{}\n'.repeat(10_000));
  const input = await openInput(at('abort.ndjson'), { batchRows: 10 });
  const controller = new AbortController();
  const read = async () => {
    for await (const _ of input.batches(controller.signal)) controller.abort(new Error('enough'));
  };
  await expect(read()).rejects.toThrow('enough');
  for await (const batch of input.batches()) {
    expect(batch.rows).toHaveLength(10);
    break;
  }
});
