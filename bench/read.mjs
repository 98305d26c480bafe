// Rows per second and peak memory of the file readers, at d = 64, on generated files. The CPU time
// tells a slow reader from a busy machine.
// Run: npm run build && node bench/read.mjs [--small]
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { openInput } from '#src/cli/input/input.js';

const DIMENSION = 64;
const BLOCK_ROWS = 5000;

// A small linear congruential generator: the same files on every run.
let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};

const npyBlock = () =>
  Buffer.from(Float32Array.from({ length: BLOCK_ROWS * DIMENSION }, random).buffer);
const csvBlock = (number) => {
  const row = () =>
    `${Array.from({ length: DIMENSION }, number).join(',')},${Math.floor(random() * 10)}\n`;
  return Buffer.from(Array.from({ length: BLOCK_ROWS }, row).join(''));
};
const ndjsonBlock = () => {
  const row = () =>
    JSON.stringify({ encoding: Array.from({ length: DIMENSION }, () => random().toFixed(5)) });
  return Buffer.from(`${Array.from({ length: BLOCK_ROWS }, row).join('\n')}\n`);
};

function npyHeader(rows) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${DIMENSION}), }`;
  const header = Buffer.alloc(128, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(118, 8);
  header.write(text, 10, 'latin1');
  header.write('\n', 127);
  return header;
}

async function generate(path, bytes, block) {
  const blocks = Math.max(1, Math.round(bytes / block.length));
  const out = createWriteStream(path);
  if (path.endsWith('.npy')) out.write(npyHeader(blocks * BLOCK_ROWS));
  for (let i = 0; i < blocks; i++) {
    if (!out.write(block)) await new Promise((resolve) => out.once('drain', resolve));
  }
  out.end();
  await finished(out);
}

async function measure(path) {
  const input = await openInput(path, { unlabelled: path.endsWith('.npy') });
  const start = performance.now();
  let rows = 0;
  let bad = 0;
  for await (const batch of input.batches()) {
    rows += batch.rows.length;
    for (const row of batch.rows) if (row.kind === 'bad') bad++;
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage();
  const rss = process.resourceUsage().maxRSS / 1024;
  const speed = Math.round(rows / seconds).toLocaleString('en');
  const megabytes = (input.totalBytes / 1e6).toFixed(0);
  console.log(
    `${path.split('/').at(-1)}: ${megabytes} MB, ${rows} rows (${bad} bad) in ${seconds.toFixed(1)} s ` +
      `(CPU ${((user + system) / 1e6).toFixed(1)} s), ` +
      `${speed} rows/s, peak RSS ${rss.toFixed(0)} MiB`,
  );
}

async function main(small) {
  const scale = small ? 0.02 : 1;
  const folder = mkdtempSync(join(tmpdir(), 'legonet-read-'));
  const files = [
    ['float32.npy', 1e9, npyBlock],
    ['integers.csv', 2e8, () => csvBlock(() => Math.floor(random() * 17))],
    ['decimals.csv', 2e8, () => csvBlock(() => random().toFixed(5))],
    ['events.ndjson', 2e8, ndjsonBlock],
  ];
  try {
    for (const [name, bytes, block] of files) {
      const path = join(folder, name);
      await generate(path, bytes * scale, block());
      // Peak memory is a process's: each file is read by one of its own.
      execFileSync(process.execPath, [fileURLToPath(import.meta.url), path], { stdio: 'inherit' });
      rmSync(path);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [argument] = process.argv.slice(2);
if (argument && argument !== '--small') await measure(argument);
else await main(argument === '--small');
