// Makes the files of examples/digits from UCI's digits: node tools/digits.mjs digits.csv.gz [DIRECTORY]
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

const PIXELS = 64;
const REFERENCE = 100;
const STREAM = 1400;
const SEED = 1;
/** UCI does not say who wrote which digit: the demo's subjects are made up, ten digits in a row each. */
const DIGITS_PER_SUBJECT = 10;

const number = (value, width) => String(value).padStart(width, '0');

/** Rows of 64 pixels, 0 ... 16, and the class. */
function readDigits(path) {
  const lines = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
  return lines.map((line) => {
    const values = line.split(',').map(Number);
    return { pixels: values.slice(0, PIXELS), label: values[PIXELS] };
  });
}

/**
 * In an order that has nothing to do with who wrote what: UCI's own puts writers together, and a test on
 * other writers than those learned from asks another question. By the hash of seed and row.
 */
function shuffle(digits) {
  const hash = ({ pixels, label }) =>
    createHash('sha256').update(`${SEED}:${pixels},${label}`).digest('hex');
  const keyed = digits.map((digit) => ({ digit, hash: hash(digit) }));
  return keyed.sort((a, b) => (a.hash < b.hash ? -1 : 1)).map(({ digit }) => digit);
}

/** NumPy's format 1.0, uint8 [rows, 64]: the header is padded to a multiple of 64 bytes. */
function npy(rows) {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows.length}, ${PIXELS}), }`;
  const padded = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    length,
    Buffer.from(padded, 'latin1'),
    Uint8Array.from(rows.flatMap((row) => row.pixels)),
  ]);
}

/** Node writes no time into the header; the ninth byte names the operating system: "unknown". */
function gzip(text) {
  const bytes = gzipSync(text, { level: 9 });
  bytes[9] = 255;
  return bytes;
}

function csv(rows, first, withSubject) {
  const pixels = Array.from({ length: PIXELS }, (_, i) => `p${i}`);
  const header = ['sampleId', ...(withSubject ? ['subjectId'] : []), 'label', ...pixels];
  const lines = rows.map((row, i) => {
    const subject = `writer-${number(Math.floor(i / DIGITS_PER_SUBJECT) + 1, 3)}`;
    const ids = [`digit-${number(first + i, 4)}`, ...(withSubject ? [subject] : [])];
    return [...ids, row.label, ...row.pixels].join(',');
  });
  return gzip(`${[header.join(','), ...lines].join('\n')}\n`);
}

const [source, directory = 'examples/digits'] = process.argv.slice(2);
if (!source) {
  console.error('usage: node tools/digits.mjs digits.csv.gz [DIRECTORY]');
  process.exit(2);
}
const digits = shuffle(readDigits(source));
const stream = digits.slice(REFERENCE, REFERENCE + STREAM);
const test = digits.slice(REFERENCE + STREAM);
writeFileSync(join(directory, 'reference.npy'), npy(digits.slice(0, REFERENCE)));
writeFileSync(join(directory, 'stream.csv.gz'), csv(stream, 1, true));
writeFileSync(join(directory, 'test.csv.gz'), csv(test, STREAM + 1, false));
