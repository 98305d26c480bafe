// Does a deletion cost more where there is more to delete from? node bench/scale.mjs --data DIRECTORY [small] [large] [deletions]
import { setTimeout as sleep } from 'node:timers/promises';
import { toRecord } from '#src/cli/to-record.js';
import { catchUp, readLag } from '#src/service/catch-up.js';
import { ROLES, runRole } from '#src/service/roles.js';
import {
  CLASSES,
  cifarModel,
  dataDirectory,
  median,
  openBench,
  readCifar,
  seconds,
} from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';

const DIMENSION = 256;
const NOISE = 2;
const BATCH = 2000;
const numbers = process.argv.slice(2).filter((argument) => /^\d+$/.test(argument));
const [small = 10_000, large = 1_000_000, deletions = 40] = numbers.map(Number);
const never = new AbortController().signal;
const say = (text) => console.error(text);

const directory = dataDirectory();
const cifar = await readCifar(directory);
const train = narrow(cifar.train);
const first = await measure(small);
const last = await measure(large);
const line = (name, ...values) =>
  console.log(`${name.padEnd(38)} ${values.map((value) => value.padStart(12)).join(' ')}`);
console.log(`CIFAR-10 encodings over and over, each with noise: d = 256, n = 1000, k = 10`);
line('samples', String(small), String(large));
line('members of the adapters rebuilt, mean', String(first.members), String(last.members));
line('first version', `${first.built.toFixed(1)} s`, `${last.built.toFixed(1)} s`);
line('delete to published, median', ms(first.whole), ms(last.whole));
line(
  'every adapter rebuilt, to published',
  `${first.all.toFixed(1)} s`,
  `${last.all.toFixed(1)} s`,
);
line('resident memory at most, so far', mib(first.rss), mib(last.rss));
console.log(`deletions: ${(last.whole / first.whole).toFixed(2)} times`);
console.log(`every adapter against a deletion: ${(last.all / last.whole).toFixed(0)} times`);

function ms(time) {
  return `${(1000 * time).toFixed(1)} ms`;
}

function mib(kibibytes) {
  return `${(kibibytes / 1024).toFixed(0)} MiB`;
}

/** As many samples in a database of their own; deletions one by one, each when the one before is erased. */
async function measure(samples) {
  const keys = narrow(cifar.test);
  const encoder = { kind: 'identity', dimension: DIMENSION, scale: 1 };
  const { model, files } = cifarModel(directory, keys, { encoder });
  const { stores, service, close } = await openBench(model, files);
  try {
    say(`ingesting ${samples} samples …`);
    await ingest(stores, service, model, samples);
    say('first build …');
    const begun = performance.now();
    await catchUp(service, never);
    const built = seconds(begun);
    await stores.database.pool.query('VACUUM ANALYZE');
    await stores.database.pool.query('CHECKPOINT');
    say(`${deletions} deletions …`);
    const whole = await deleteOneByOne(service, samples);
    const { rows } = await stores.database.pool.query(
      'SELECT round(avg(members))::int AS members FROM adapter_revisions WHERE version > 1',
    );
    const rss = process.resourceUsage().maxRSS;
    say('every adapter …');
    return { whole, built, all: await rebuildAll(stores, service), members: rows[0].members, rss };
  } finally {
    await close();
  }
}

/** Seconds to a version with every adapter built from its members. */
async function rebuildAll({ database: { pool } }, service) {
  await pool.query('TRUNCATE adapter_statistics');
  await pool.query(
    'INSERT INTO dirty_adapters (adapter, partition, position) SELECT adapter, 0, 0 FROM adapters',
  );
  const begun = performance.now();
  await catchUp(service, never);
  return seconds(begun);
}

async function deleteOneByOne(service, samples) {
  const stop = new AbortController();
  const roles = ROLES.map((role) => runRole(service, role, stop.signal, (_, error) => say(error)));
  const { time, listening } = timeDeletions(service, stop.signal);
  const times = [];
  const step = Math.floor(samples / (deletions + 5));
  for (let i = -5; i < deletions; i++) {
    const whole = await time(`r${i}`, `s${(i + 5) * step}`);
    if (i >= 0) times.push(whole);
  }
  stop.abort();
  await Promise.all([...roles, listening]);
  return median(times);
}

/** The first columns, as whole numbers from 0 to 127. */
function narrow({ rows, columns, values }) {
  const out = new Float32Array(rows * DIMENSION);
  for (let i = 0; i < out.length; i++) {
    const value = values[Math.floor(i / DIMENSION) * columns + (i % DIMENSION)];
    out[i] = Math.min(127, Math.round((Math.sqrt(Math.max(0, value)) * 127) / 2.45));
  }
  return { rows, columns: DIMENSION, values: out };
}

async function ingest(stores, service, model, samples) {
  const stop = new AbortController();
  const projecting = runRole(service, 'project', stop.signal, (_, error) => say(error));
  const random = xorshift();
  for (let from = 0; from < samples; from += BATCH) {
    const records = Array.from({ length: Math.min(BATCH, samples - from) }, (_, j) => {
      const row = (from + j) % train.rows;
      const encoding = train.values.slice(row * DIMENSION, (row + 1) * DIMENSION);
      for (let c = 0; c < DIMENSION; c++) encoding[c] += (random() % (2 * NOISE + 1)) - NOISE;
      const label = CLASSES[cifar.trainLabels[row]];
      return toRecord(model, { kind: 'sample', sampleId: `s${from + j}`, label, encoding });
    });
    await stores.log.append(stores.settings.topics.sampleEvents, records);
    while ((await readLag(stores)) > 50_000n) await sleep(5);
  }
  while ((await readLag(stores)) > 0n) await sleep(5);
  stop.abort();
  await projecting;
}

/** Numbers of 32 bits, the same each time. */
function xorshift() {
  let state = 2_463_534_242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
