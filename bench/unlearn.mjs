// From delete to published, on CIFAR-10: node bench/unlearn.mjs --data DIRECTORY [--deletions 40]
import { inlineCompute } from '#src/build/compute.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { catchUp } from '#src/service/catch-up.js';
import { buildFromScratch } from '#src/service/from-scratch.js';
import { ROLES, runRole } from '#src/service/roles.js';
import {
  cifarModel,
  dataDirectory,
  encode,
  ingestCifar,
  median,
  openBench,
  readCifar,
  seconds,
} from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';
import { fitSoftmax, softmaxAccuracy } from './support/softmax.mjs';

const never = new AbortController().signal;
const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? Number(process.argv[at + 1]) : otherwise;
};
const deletions = argument('deletions', 40);
const say = (text) => console.error(text);

const directory = dataDirectory();
const cifar = await readCifar(directory);
const { model, files } = cifarModel(directory, cifar.test);
const { stores, service, close } = await openBench(model, files);
const { pool } = stores.database;
try {
  say('ingesting 50,000 samples …');
  await ingestCifar(stores, model, cifar);
  say('first build …');
  const first = await timed(() => catchUp(service, never));
  // As autovacuum and the checkpointer leave it some minutes after such an ingest.
  await pool.query('VACUUM ANALYZE');
  await pool.query('CHECKPOINT');
  say(`built in ${first.toFixed(1)} s; ${deletions} deletions, one by one …`);
  const threads = await deleteOneByOne(service, 0);
  const rss = process.memoryUsage().rss;

  const instrumented = instrument(await loadWasmKernel());
  const compute = inlineCompute(stores.database.url, instrumented.kernel, model);
  say('the same on one thread, with the kernel timed …');
  await deleteOneByOne({ ...service, compute }, 10_000, 3);
  const before = instrumented.spent();
  const inline = await deleteOneByOne({ ...service, compute }, 20_000);
  const kernel = (instrumented.spent() - before) / deletions / 1000;

  say('the ten adapters of a deletion from their members, without kept statistics …');
  const forget = () => pool.query('TRUNCATE adapter_statistics');
  const without = await deleteOneByOne(service, 30_000, deletions, forget);
  const then = instrumented.spent();
  const inlineWithout = await deleteOneByOne({ ...service, compute }, 40_000, deletions, forget);
  const kernelWithout = (instrumented.spent() - then) / deletions / 1000;
  await compute.close();
  say('every adapter …');
  const full = [];
  for (let i = 0; i < 3; i++) {
    await pool.query('TRUNCATE adapter_statistics');
    await pool.query(
      'INSERT INTO dirty_adapters (adapter, partition, position) SELECT adapter, 0, 0 FROM adapters',
    );
    full.push(await timed(() => catchUp(service, never)));
  }
  say('a softmax head on one of ten shards …');
  const shard = refitShard();
  const times = { threads, inline, kernel, without, inlineWithout, kernelWithout };
  report({ ...times, full: median(full), first, shard, rss });

  say('from scratch, for comparison of digests …');
  const scratch = await buildFromScratch(stores.database, service.kernel, model, never, () => {});
  const equal = scratch.modelDigest === scratch.published?.modelDigest;
  console.log(`\ndigest equal to a build from scratch: ${equal}`);
  process.exitCode = equal ? 0 : 1;
} finally {
  await close();
}

async function timed(work) {
  const start = performance.now();
  await work();
  return seconds(start);
}

/** Median seconds from the request to its published version, with the roles running. */
async function deleteOneByOne(running, from, count = deletions, before = async () => {}) {
  const stop = new AbortController();
  const roles = ROLES.map((role) => runRole(running, role, stop.signal, (_, error) => say(error)));
  const { time, listening } = timeDeletions(running, stop.signal);
  const times = [];
  for (let i = from; i < from + count; i++) {
    await before();
    times.push(await time(`bench-${i}`, `train-${i}`));
  }
  stop.abort();
  await Promise.all([...roles, listening]);
  return median(times);
}

/** The same kernel, adding up the milliseconds spent in it. */
function instrument(kernel) {
  let spent = 0;
  const measured = { name: kernel.name };
  for (const name of ['gram', 'addGram', 'outer', 'products', 'solve', 'combine']) {
    measured[name] = (...args) => {
      const start = performance.now();
      try {
        return kernel[name](...args);
      } finally {
        spent += performance.now() - start;
      }
    };
  }
  return { kernel: measured, spent: () => spent };
}

/** A tenth of the samples at random, on encodings scaled to about one. */
function refitShard() {
  const { dimension } = model.shape;
  const rows = [];
  let state = 1;
  // Not every tenth row: the classes take turns in the file.
  for (let i = 0; i < cifar.train.rows; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (state < 2 ** 32 / 10) rows.push(i);
  }
  const values = new Float32Array(rows.length * dimension);
  const { columns } = cifar.train;
  rows.forEach((row, i) => {
    const part = cifar.train.values.slice(row * columns, (row + 1) * columns);
    const encoding = encode(model, { rows: 1, columns, values: part });
    values.set(
      Float32Array.from(encoding, (value) => value / 52),
      i * dimension,
    );
  });
  const labels = Uint8Array.from(rows, (row) => cifar.trainLabels[row]);
  const start = performance.now();
  const fitted = fitSoftmax(values, labels, dimension, 10, { ridge: 1e-4, tolerance: 1e-5 });
  const time = seconds(start);
  const test = encode(model, cifar.test);
  const scaled = Float32Array.from(test, (value) => value / 52);
  return {
    time,
    steps: fitted.steps,
    accuracy: softmaxAccuracy(scaled, cifar.testLabels, dimension, 10, fitted.weights),
  };
}

function report({ threads, full, first, shard, rss, ...rest }) {
  const { inline, kernel, without, inlineWithout, kernelWithout } = rest;
  const ms = (time) => `${(1000 * time).toFixed(1).padStart(9)} ms`;
  const line = (name, time) =>
    console.log(`${name.padEnd(62)} ${ms(time)} ${(time / threads).toFixed(1).padStart(7)} x`);
  console.log(`CIFAR-10 encodings: N = 50,000, d = 768, n = 1000, k = 10; medians of ${deletions}`);
  line('delete -> published', threads);
  line('  on one thread', inline);
  line('    of that in the kernel', kernel);
  line('  its ten adapters from their members (no kept statistics)', without);
  line('    on one thread', inlineWithout);
  line('      of that in the kernel', kernelWithout);
  line('every adapter rebuilt -> published (median of 3)', full);
  line('first build of every adapter -> published', first);
  line(`softmax head on one of ten shards (L-BFGS, ${shard.steps} steps)`, shard.time);
  const share = (part, whole) => `${((100 * part) / whole).toFixed(0)} %`;
  console.log(
    `\nkernel share on one thread: ${share(kernel, inline)}, from members ${share(kernelWithout, inlineWithout)}`,
  );
  console.log(`that softmax head alone: ${shard.accuracy.toFixed(1)} % on the test encodings`);
  console.log(
    `resident memory of this process after the deletions: ${(rss / 2 ** 20).toFixed(0)} MiB`,
  );
}
