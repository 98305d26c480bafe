// Rows per second of `legonet ingest` into the embedded log, and the process's peak memory.
// Usage: node bench/ingest-log.mjs [rows] [dimension]
import { spawn } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './support/directory.mjs';

const rows = Number(process.argv[2] ?? 200_000);
const dimension = Number(process.argv[3] ?? 64);
const classes = 10;
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const hook = new URL('./support/usage.mjs', import.meta.url).href;
const directory = await temporaryDirectory('legonet-bench-');
const folder = directory.path;
const env = { ...process.env, LEGONET_DATA_DIR: join(folder, 'data'), DATABASE_URL: '' };

try {
  await writeFile(join(folder, 'MODEL.json'), JSON.stringify(model()));
  await writeArray(join(folder, 'x.npy'), '<f4', [rows, dimension], 4 * dimension, fillRow);
  await writeArray(join(folder, 'y.npy'), '|u1', [rows], 1, (row, i) => row.fill(i % classes));
  await legonet('init', 'MODEL.json');
  const { usage } = await legonet('ingest', 'x.npy', '--labels', 'y.npy', '--json');
  const { seconds, cpu, peak } = usage;
  const rate = (time) => `${Math.round(rows / time).toLocaleString('en')} rows/s`;
  console.log(`${rows} rows of ${dimension} numbers, ${(4 * rows * dimension) / 1e6} MB`);
  console.log(`wall ${seconds.toFixed(1)} s: ${rate(seconds)}`);
  console.log(`CPU of the process, without PostgreSQL, ${cpu.toFixed(1)} s: ${rate(cpu)}`);
  console.log(`peak memory ${(peak / 1024).toFixed(0)} MiB`);
} finally {
  await directory.remove();
}

function model() {
  return {
    name: 'bench',
    classes: Array.from({ length: classes }, (_, i) => String(i)),
    encoder: { kind: 'identity', dimension, scale: 40 },
    keys: { kind: 'random', seed: 'bench' },
    adapters: 100,
    activated: 10,
    adapter: { kind: 'least-squares', lambda: 0.01 },
  };
}

/** Numbers about 0 from a small generator: the same file each time. */
function fillRow(row, i) {
  let state = i + 1;
  for (let at = 0; at < row.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    row.writeFloatLE((state / 2 ** 32 - 0.5) * 4, at);
  }
}

async function writeArray(path, type, shape, rowBytes, fill) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const start = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header.padEnd(117)}\n`, 'latin1');
  start.writeUInt16LE(118, 8);
  const file = await open(path, 'w');
  await file.write(start);
  const group = 4096;
  for (let from = 0; from < rows; from += group) {
    const count = Math.min(group, rows - from);
    const bytes = Buffer.alloc(count * rowBytes);
    for (let i = 0; i < count; i++) {
      fill(bytes.subarray(i * rowBytes, (i + 1) * rowBytes), from + i);
    }
    await file.write(bytes);
  }
  await file.close();
}

function legonet(...args) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'];
    const child = spawn(process.execPath, ['--import', hook, main, ...args], {
      cwd: folder,
      env,
      stdio,
    });
    let usage;
    child.on('message', (message) => {
      usage = message;
    });
    child.on('exit', (code) => {
      if (code === 0) resolve({ usage });
      else reject(new Error(`legonet ${args[0]} ended with ${code}`));
    });
  });
}
