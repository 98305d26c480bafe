// Where the time from delete to published goes, on CIFAR-10: node bench/stages.mjs --data DIRECTORY [--deletions 40]
import { fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { readMembers } from '#src/build/members.js';
import { encodeStatistics } from '#src/model/statistics.js';
import { catchUp } from '#src/service/catch-up.js';
import { ROLES, runRole } from '#src/service/roles.js';
import { readStatistics, rowsOf } from '#src/store/statistics.js';
import {
  cifarModel,
  dataDirectory,
  ingestCifar,
  median,
  openBench,
  readCifar,
} from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';
import { countStatements } from './support/statements.mjs';

const never = new AbortController().signal;
const at = process.argv.indexOf('--deletions');
const deletions = at > 0 ? Number(process.argv[at + 1]) : 40;
const THREADS = 2;
/** Each stage ends at a point that the roles pass. */
const STAGES = [
  ['log append, wake-up, reading', 'project.before-transaction'],
  ['projection: statements', 'project.before-commit'],
  ['its commit, wake-up, cut and plan', 'build.cut-taken'],
  ['training sets and train-intent', 'build.intent-declared'],
  ['ten adapters: reading and arithmetic', 'build.before-commit'],
  ['version: statements', 'build.in-commit'],
  ['its commit, wake-up', 'publish.found'],
  ['audit log put in order and signed', 'publish.before-append'],
  ['event appended, marked as published', 'publish.before-commit'],
  ['commit of that, whoever waits is told', null],
];
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
  await catchUp(service, never);
  await pool.query('VACUUM ANALYZE');
  await pool.query('CHECKPOINT');
  say(`${deletions} deletions, one by one …`);
  report(await deleteOneByOne(), await timed(200, () => pool.query('SELECT 1')), flushTime());
} finally {
  await close();
}

/** Milliseconds, statements and flushes of each stage of each deletion. */
async function deleteOneByOne() {
  const counter = countStatements();
  const points = [];
  const reached = (point) => points.push({ point, time: performance.now(), ...counter.now() });
  const stop = new AbortController();
  const roles = ROLES.map((role) =>
    runRole({ ...service, reached }, role, stop.signal, (_, error) => say(error)),
  );
  const { time, settled, listening } = timeDeletions(service, stop.signal);
  const lanes = await Promise.all(Array.from({ length: THREADS }, () => pool.connect()));
  const thread = () => new Worker(new URL('./support/fit-thread.mjs', import.meta.url));
  const threads = Array.from({ length: THREADS }, thread);
  const rows = [];
  try {
    for (let i = -5; i < deletions; i++) {
      points.length = 0;
      const whole = 1000 * (await time(`r${i}`, `train-${7 * (i + 5)}`));
      const end = { time: performance.now(), ...counter.now() };
      const stages = stagesOf(end.time - whole, end, points);
      await settled();
      const limits = await limitsOfAdapters(lanes, threads);
      if (i >= 0) rows.push({ stages, whole, ...limits });
    }
  } finally {
    stop.abort();
    counter.stop();
    for (const lane of lanes) lane.release();
    await Promise.all([...roles, listening, ...threads.map((one) => one.terminate())]);
  }
  return rows;
}

/** From the last stage to the first: others may pass the same points before, for the erasure of the one before. */
function stagesOf(begin, end, points) {
  let after = end;
  const stages = [];
  for (let i = STAGES.length - 1; i >= 0; i--) {
    const name = STAGES[i - 1]?.[1];
    const isLast = ({ point, time }) => point === name && time <= after.time;
    // The append, and the reading of it, are what the first stage asks of the database.
    const before = name
      ? points.findLast(isLast)
      : { time: begin, statements: after.statements - 4, commits: after.commits - 1 };
    stages.unshift({
      ms: after.time - before.time,
      statements: after.statements - before.statements,
      commits: after.commits - before.commits,
    });
    after = before;
  }
  return stages;
}

/** What the adapters of the last version take to be read, and to be computed from what was read. */
async function limitsOfAdapters(lanes, threads) {
  const { rows } = await pool.query(
    `SELECT adapter, s.adapter IS NOT NULL AS kept FROM adapters a LEFT JOIN adapter_statistics s USING (adapter)
     WHERE version = (SELECT max(version) FROM versions) ORDER BY a.members DESC`,
  );
  const tasks = [];
  const reading = await timed(1, () =>
    inLanes(lanes, rows, async (lane, row) => tasks.push(taskOf(await read(lane, row), row.kept))),
  );
  const { lambda } = model.configuration.adapter;
  await tell(threads, { tasks, shape: model.shape, lambda });
  const taken = new Int32Array(new SharedArrayBuffer(4));
  return { reading, kernel: await timed(1, () => tell(threads, { taken })) };
}

/** One after the other in each lane, whichever is free taking the next. */
async function inLanes(lanes, items, work) {
  const left = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = left.shift(); item; item = left.shift()) await work(lane, item);
    }),
  );
}

async function read(client, { adapter, kept }) {
  if (kept) return readStatistics(client, adapter, model.shape);
  const pages = [];
  for await (const page of readMembers(client, adapter, ['0'])) pages.push(page);
  return pages[0];
}

/** What `fit-thread.mjs` computes: from members, or from sums less a member. */
function taskOf(content, kept) {
  if (!kept) return { rows: content };
  const { statistics } = content;
  const zeros = { encoding: new Int8Array(model.shape.dimension), label: 0 };
  const removed = rowsOf([zeros], model.shape);
  return { sums: encodeStatistics(statistics), count: statistics.count, removed };
}

/** Resolves when all have answered. */
function tell(threads, message) {
  return Promise.all(
    threads.map((thread) => {
      const done = new Promise((resolve) => thread.once('message', resolve));
      thread.postMessage(message);
      return done;
    }),
  );
}

/** Median milliseconds. */
async function timed(times, work) {
  const spent = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work();
    spent.push(performance.now() - start);
  }
  return median(spent);
}

/** Milliseconds of a page written and flushed. */
function flushTime() {
  const path = join(process.env.BENCH_TMP ?? tmpdir(), `legonet-flush-${process.pid}`);
  const file = openSync(path, 'w');
  const page = Buffer.alloc(8192, 1);
  const spent = [];
  for (let i = 0; i < 100; i++) {
    const start = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    spent.push(performance.now() - start);
  }
  rmSync(path);
  return median(spent);
}

function report(rows, statement, flush) {
  const middle = (of) => median(rows.map(of));
  const ms = (value) => value.toFixed(1).padStart(8);
  const [reading, kernel] = [middle((row) => row.reading), middle((row) => row.kernel)];
  console.log(`CIFAR-10: N = 50,000, d = 768, n = 1000, k = 10; medians of ${deletions}, in ms`);
  console.log(`a bare statement ${statement.toFixed(2)}, a flush ${flush.toFixed(2)}\n`);
  console.log(`${'stage'.padEnd(42)}     time    limit  statements  flushes`);
  STAGES.forEach(([name, point], stage) => {
    const of = (key) => middle(({ stages }) => stages[stage][key]);
    const [statements, commits] = [of('statements'), of('commits')];
    const isAdapters = point === 'build.before-commit';
    const limit = isAdapters ? reading + kernel : statements * statement + commits * flush;
    const counts = isAdapters
      ? ''
      : `${String(statements).padStart(11)} ${String(commits).padStart(8)}`;
    console.log(`${name.padEnd(42)} ${ms(of('ms'))} ${ms(limit)} ${counts}`);
  });
  console.log(`${'  reading them alone'.padEnd(51)} ${ms(reading)}`);
  console.log(`${`  their arithmetic alone, on ${THREADS} threads`.padEnd(51)} ${ms(kernel)}`);
  const whole = middle((row) => row.whole);
  console.log(`${'delete to published'.padEnd(42)} ${ms(whole)}`);
  console.log(`\narithmetic alone: ${((100 * kernel) / whole).toFixed(0)} % of it`);
}
