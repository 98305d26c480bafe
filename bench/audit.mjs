// The audit trail at a million samples: node bench/audit.mjs [samples] [adapters] [deletions] [dimension]
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { formatVerifierKey, verifierOf } from '#src/audit/log/keys.js';
import { toRecord } from '#src/cli/to-record.js';
import { parseConfiguration } from '#src/model/configuration.js';
import { createModel } from '#src/model/model.js';
import { catchUp, readLag } from '#src/service/catch-up.js';
import { ROLES, runRole } from '#src/service/roles.js';
import { certificateOf } from '#src/store/certificates.js';
import { readHead } from '#src/store/tlog.js';
import { sequence } from '#src/store/tlog-sequence.js';
import { median, openBench, seconds } from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';

const samples = Number(process.argv[2] ?? 1_000_000);
const adapters = Number(process.argv[3] ?? 1000);
const deletions = Number(process.argv[4] ?? 20);
const DIMENSION = Number(process.argv[5] ?? 256);
const BATCH = 2000;
const never = new AbortController().signal;
const say = (text) => console.error(text);

const model = createModel(
  parseConfiguration({
    name: 'audit',
    classes: Array.from({ length: 10 }, (_, i) => `class-${i}`),
    encoder: { kind: 'identity', dimension: DIMENSION, scale: 1 },
    keys: { kind: 'random', seed: 'audit' },
    adapters,
    activated: 10,
    adapter: { kind: 'least-squares', lambda: 0.01 },
  }),
  {},
);
const { stores, service, close } = await openBench(model, {});
const { pool } = stores.database;
const points = [];
const watched = { ...service, reached: (point) => points.push([point, performance.now()]) };
try {
  say(`ingesting ${samples} samples …`);
  await ingest();
  const begun = performance.now();
  const leaves = (await sequence(stores.database)).count;
  const sequenced = seconds(begun);
  say('first build …');
  const first = performance.now();
  await catchUp(watched, never);
  const built = seconds(first);
  const made = between('build.cut-taken', 'build.intent-declared');
  await pool.query('VACUUM ANALYZE');
  await pool.query('CHECKPOINT');
  say(`${deletions} deletions, one by one …`);
  const { whole, share, parts } = await deleteOneByOne();
  const certificates = await certify();
  const line = (name, value) => console.log(`${name.padEnd(58)} ${value}`);
  console.log(
    `${samples} samples, d = ${DIMENSION}, n = ${adapters}, k = 10, log of ${(await readHead(pool)).size} entries`,
  );
  line('entries put into the log', `${Math.round(leaves / sequenced)}/s`);
  line(
    'first build; its sets from nothing',
    `${built.toFixed(1)} s; ${(made / 1000).toFixed(1)} s`,
  );
  line('delete to published, median', `${(1000 * whole).toFixed(0)} ms`);
  line('  of it for the audit', `${(100 * share).toFixed(0)} %`);
  for (const [name, ms] of Object.entries(parts)) line(`    ${name}`, `${ms.toFixed(1)} ms`);
  line('certificate', `${certificates.bytes} bytes at most`);
  line('  composed and checked by the server, median', `${certificates.composed.toFixed(0)} ms`);
  line('  verified, median', `${certificates.verified.toFixed(1)} ms`);
} finally {
  await close();
}

async function ingest() {
  const stop = new AbortController();
  const projecting = runRole(service, 'project', stop.signal, (_, error) => console.error(error));
  for (let from = 0; from < samples; from += BATCH) {
    const count = Math.min(BATCH, samples - from);
    const block = randomBytes(DIMENSION * count);
    const records = Array.from({ length: count }, (_, i) => {
      const bytes = block.subarray(i * DIMENSION, (i + 1) * DIMENSION);
      const encoding = Float32Array.from(bytes, (byte) => byte - 128);
      const label = `class-${bytes[0] % 10}`;
      return toRecord(model, { kind: 'sample', sampleId: `s${from + i}`, label, encoding });
    });
    await stores.log.append(stores.settings.topics.sampleEvents, records);
    while ((await readLag(stores)) > 50_000n) await sleep(5);
  }
  while ((await readLag(stores)) > 0n) await sleep(5);
  stop.abort();
  await projecting;
}

/** Milliseconds to the last of one point from the one before it of another. */
function between(from, to) {
  const end = points.findLastIndex(([point]) => point === to);
  const start = points.slice(0, end).findLast(([point]) => point === from);
  return (points[end]?.[1] ?? Number.NaN) - (start?.[1] ?? Number.NaN);
}

async function deleteOneByOne() {
  const stop = new AbortController();
  const roles = ROLES.map((role) =>
    runRole(watched, role, stop.signal, (_, e) => console.error(e)),
  );
  const { time, listening } = timeDeletions(service, stop.signal);
  const queries = timeQueries(/tlog_batches|evidence/);
  const wholes = [];
  const rows = [];
  for (let i = -3; i < deletions; i++) {
    points.length = 0;
    queries.reset();
    const whole = await time(`r${i}`, `s${(i + 4) * 31}`);
    if (i < 0) continue;
    wholes.push(whole);
    rows.push({
      'entries and evidence of the deletion': queries.spent(),
      'sets and intent, before training': between('build.cut-taken', 'build.intent-declared'),
      'sets and entry of the version': between('build.model-written', 'build.recorded'),
      'log put in order and signed': between('publish.found', 'publish.before-append'),
    });
  }
  queries.stop();
  stop.abort();
  await Promise.all([...roles, listening]);
  const names = Object.keys(rows[0]);
  const parts = Object.fromEntries(
    names.map((name) => [name, median(rows.map((row) => row[name]))]),
  );
  const spent = rows.map((row) => Object.values(row).reduce((a, b) => a + b));
  const share = median(spent.map((ms, i) => ms / 1000 / wholes[i]));
  return { whole: median(wholes), share, parts };
}

/** Time spent in the projection's queries whose text matches: on the connections of one transaction. */
function timeQueries(pattern) {
  const { query } = pg.Client.prototype;
  let spent = 0;
  let projecting = false;
  pg.Client.prototype.query = function timed(...args) {
    const text = typeof args[0] === 'string' ? args[0] : (args[0]?.text ?? '');
    if (/INSERT INTO deletions/.test(text)) projecting = true;
    if (/UPDATE offsets/.test(text)) projecting = false;
    const result = query.apply(this, args);
    if (!projecting || !pattern.test(text) || typeof result?.then !== 'function') return result;
    const begun = performance.now();
    const done = () => {
      spent += performance.now() - begun;
    };
    result.then(done, done);
    return result;
  };
  return {
    reset: () => {
      spent = 0;
    },
    spent: () => spent,
    stop: () => {
      pg.Client.prototype.query = query;
    },
  };
}

async function certify() {
  const vkey = formatVerifierKey(verifierOf((await service.signer()).key));
  const composed = [];
  const verified = [];
  let bytes = 0;
  for (let i = 0; i < deletions; i++) {
    const begun = performance.now();
    const text = await certificateOf(stores.database, { requestId: `r${i}` });
    composed.push(performance.now() - begun);
    bytes = Math.max(bytes, Buffer.byteLength(text));
    const start = performance.now();
    const { ok, level } = verifyCertificate(text, { vkey });
    verified.push(performance.now() - start);
    if (!ok || level !== 1) throw new Error('a certificate does not hold');
  }
  return { bytes, composed: median(composed), verified: median(verified) };
}
