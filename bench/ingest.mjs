// Ingest against bare COPY of the same rows: node bench/ingest.mjs --data DIRECTORY
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
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
import { cpuClock } from './support/cpu.mjs';

const BATCH = 2000;

const directory = dataDirectory();
const { train, trainLabels, test } = await readCifar(directory);
const { model, files } = cifarModel(directory, test);
const { stores, service, close } = await openBench(model, files);
const { pool } = stores.database;
const cpu = await cpuClock(pool);
/** What is begun here took, by the clock and of both processors' time, when the result is called. */
const begin = () => {
  const start = performance.now();
  const before = cpu();
  return () => {
    const after = cpu();
    const node = after.node - before.node;
    return { time: seconds(start), node, postgres: after.postgres - before.postgres };
  };
};
try {
  const stop = new AbortController();
  const taken = begin();
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
  const appended = taken();
  while ((await readLag(stores)) > 0n) await sleep(5);
  const whole = taken();
  stop.abort();
  await projecting;

  await pool.query('UPDATE offsets SET position = 0, retained = 0');
  await pool.query('TRUNCATE samples, memberships, dirty_adapters');
  const takenAgain = begin();
  const stopAgain = new AbortController();
  const projectingAgain = runRole(service, 'project', stopAgain.signal, (_, e) => console.error(e));
  while ((await readLag(stores)) > 0n) await sleep(5);
  const projected = takenAgain();
  stopAgain.abort();
  await projectingAgain;

  const copy = await copyTimes(pool);
  const line = (name, { time, node, postgres }) => {
    const rate = `${Math.round(train.rows / time)}`.padStart(8);
    const ratio = (base) => (base.time / time).toFixed(2).padStart(6);
    const used = `CPU ${node.toFixed(2).padStart(5)} + ${postgres.toFixed(2)} s`;
    console.log(
      `${name.padEnd(46)} ${time.toFixed(2).padStart(6)} s ${rate}/s ${ratio(copy.client)} ${ratio(copy.keyed)}   ${used}`,
    );
  };
  console.log(`${train.rows} samples, d = 768, n = 1000, k = 10; ratios to the first two lines;`);
  console.log('CPU time of this process and of PostgreSQL');
  line('COPY by a client, text, tables with keys', copy.client);
  line('COPY by the server from binary files, with keys', copy.keyed);
  line('COPY by the server from binary files, no keys', copy.bare);
  line('projection alone, log to tables', projected);
  line('events into the log (projection running)', appended);
  line('events into the log and projected', whole);
} finally {
  await close();
}

/**
 * COPY of the same rows into tables like ours: by a client that sends text over a connection, as an
 * application would, and by the server itself from its own binary files, with keys and without.
 */
async function copyTimes(pool) {
  const name = `/tmp/legonet-copy-${randomBytes(6).toString('hex')}`;
  const tables = ['samples', 'memberships'];
  for (const table of tables)
    await pool.query(`COPY ${table} TO '${name}-${table}' (FORMAT binary)`);
  const texts = {};
  for (const table of tables) texts[table] = await copyOut(pool, table);
  const run = async (including, load) => {
    for (const table of tables) {
      await pool.query(`CREATE TABLE copy_${table} (LIKE ${table} ${including})`);
    }
    await pool.query('CHECKPOINT');
    const loaded = begin();
    for (const table of tables) await load(table);
    const taken = loaded();
    for (const table of tables) await pool.query(`DROP TABLE copy_${table}`);
    return taken;
  };
  const fromFile = (table) =>
    pool.query(`COPY copy_${table} FROM '${name}-${table}' (FORMAT binary)`);
  const times = {
    client: await run('INCLUDING ALL', (table) => copyIn(pool, `copy_${table}`, texts[table])),
    keyed: await run('INCLUDING ALL', fromFile),
    bare: await run('INCLUDING STORAGE', fromFile),
  };
  // Only the server's user may remove what the server wrote.
  for (const table of tables) await pool.query(`COPY (SELECT) TO PROGRAM 'rm -f ${name}-${table}'`);
  return times;
}

async function copyOut(pool, table) {
  const client = await pool.connect();
  const chunks = [];
  for await (const chunk of client.query(copyTo(`COPY ${table} TO STDOUT`))) chunks.push(chunk);
  client.release();
  return chunks;
}

async function copyIn(pool, table, chunks) {
  const client = await pool.connect();
  await pipeline(Readable.from(chunks), client.query(copyFrom(`COPY ${table} FROM STDIN`)));
  client.release();
}
