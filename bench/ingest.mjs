// Ingest against bare COPY of the same rows: node bench/ingest.mjs --data DIRECTORY
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { toRecord } from '#src/cli/to-record.js';
import { readLag } from '#src/service/catch-up.js';
import { runRole } from '#src/service/roles.js';
import {
  CLASSES,
  cifarModel,
  dataDirectory,
  openBench,
  readCifar,
  seconds,
} from './support/cifar.mjs';

const BATCH = 2000;

const directory = dataDirectory();
const { train, trainLabels, test } = await readCifar(directory);
const { model, files } = cifarModel(directory, test);
const { stores, service, close } = await openBench(model, files);
const { pool } = stores.database;
try {
  const stop = new AbortController();
  const start = performance.now();
  const projecting = runRole(service, 'project', stop.signal, (_, error) => console.error(error));
  for (let from = 0; from < train.rows; from += BATCH) {
    const records = [];
    for (let i = from; i < Math.min(from + BATCH, train.rows); i++) {
      const encoding = train.values.subarray(i * train.columns, (i + 1) * train.columns);
      const label = CLASSES[trainLabels[i]];
      records.push(toRecord(model, { kind: 'sample', sampleId: `train-${i}`, label, encoding }));
    }
    await stores.log.append(stores.settings.topics.sampleEvents, records);
  }
  const appended = seconds(start);
  while ((await readLag(stores)) > 0n) await sleep(5);
  const whole = seconds(start);
  stop.abort();
  await projecting;

  await pool.query('UPDATE offsets SET position = 0, retained = 0');
  await pool.query('TRUNCATE samples, memberships, dirty_adapters');
  const again = performance.now();
  const stopAgain = new AbortController();
  const projectingAgain = runRole(service, 'project', stopAgain.signal, (_, e) => console.error(e));
  while ((await readLag(stores)) > 0n) await sleep(5);
  const projected = seconds(again);
  stopAgain.abort();
  await projectingAgain;

  const copy = await copyTimes(pool);
  const line = (name, time) =>
    console.log(
      `${name.padEnd(52)} ${time.toFixed(2).padStart(7)} s ${Math.round(train.rows / time)
        .toString()
        .padStart(
          8,
        )} samples/s ${(copy.keyed / time).toFixed(2).padStart(6)} ${(copy.bare / time).toFixed(2).padStart(6)}`,
    );
  console.log(
    `${train.rows} samples, d = 768, n = 1000, k = 10; ratios to COPY with keys, and without`,
  );
  line('COPY of samples and memberships, with their keys', copy.keyed);
  line('COPY of samples and memberships, no keys at all', copy.bare);
  line('events into the log (projection running)', appended);
  line('events into the log and projected', whole);
  line('projection alone, log to tables', projected);
} finally {
  await close();
}

/** The server's own COPY from files that it wrote itself: no client, no network. */
async function copyTimes(pool) {
  const name = `/tmp/legonet-copy-${randomBytes(6).toString('hex')}`;
  const tables = ['samples', 'memberships'];
  for (const table of tables)
    await pool.query(`COPY ${table} TO '${name}-${table}' (FORMAT binary)`);
  const run = async (including) => {
    for (const table of tables)
      await pool.query(`CREATE TABLE copy_${table} (LIKE ${table} ${including})`);
    await pool.query('CHECKPOINT');
    const start = performance.now();
    for (const table of tables)
      await pool.query(`COPY copy_${table} FROM '${name}-${table}' (FORMAT binary)`);
    const time = seconds(start);
    for (const table of tables) await pool.query(`DROP TABLE copy_${table}`);
    return time;
  };
  const times = { keyed: await run('INCLUDING ALL'), bare: await run('INCLUDING STORAGE') };
  // Only the server's user may remove what the server wrote.
  for (const table of tables) await pool.query(`COPY (SELECT) TO PROGRAM 'rm -f ${name}-${table}'`);
  return times;
}
