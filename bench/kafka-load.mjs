// Events through Kafka to the projections, against a bare loop of kafkajs and COPY of the same rows:
// KAFKA_BROKERS=host:port node bench/kafka-load.mjs [events] [adapters]
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { pino } from 'pino';
import { toRecord } from '#src/cli/to-record.js';
import { parseConfiguration } from '#src/model/configuration.js';
import { createModel } from '#src/model/model.js';
import { readLag } from '#src/service/catch-up.js';
import { openStores } from '#src/service/open.js';
import { runRole } from '#src/service/roles.js';
import { openService } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { copyInto } from '#src/store/copy.js';
import { CopyRows } from '#src/store/copy-rows.js';
import { saveModel } from '#src/store/model.js';
import { temporaryDirectory } from './support/directory.mjs';

const events = Number(process.argv[2] ?? 200_000);
const adapters = Number(process.argv[3] ?? 100);
const DIMENSION = 256;
const ACTIVATED = 10;
const BATCH = 2000;
const { KAFKA_BROKERS } = process.env;
if (!KAFKA_BROKERS) {
  console.error('KAFKA_BROKERS=host:port: a broker of its own, for a million events stay in it');
  process.exit(2);
}

const directory = await temporaryDirectory('legonet-load-');
const prefix = `load-${randomBytes(4).toString('hex')}.`;
const settings = readSettings({
  KAFKA_BROKERS,
  KAFKA_TOPIC_PREFIX: prefix,
  KAFKA_GROUP_ID: prefix,
  LEGONET_DATA_DIR: directory.path,
});
const model = createModel(
  parseConfiguration({
    name: 'load',
    classes: Array.from({ length: 10 }, (_, i) => `class-${i}`),
    encoder: { kind: 'identity', dimension: DIMENSION, scale: 1 },
    keys: { kind: 'random', seed: 'load' },
    adapters,
    activated: ACTIVATED,
    adapter: { kind: 'least-squares', lambda: 0.01 },
  }),
  {},
);
const stores = await openStores(settings);
await saveModel(stores.database, model, {});
const { pool } = stores.database;
const memory = watchMemory();
try {
  const produced = await timed(produce);
  const bare = await timed(copyLoop);
  memory.reset();
  const projected = await timed(project);
  report({ produced, bare, projected, peak: memory.peak() });
} finally {
  memory.stop();
  await stores.close();
  await directory.remove();
}

/** Seconds, by the clock and of this process's processors. */
async function timed(work) {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

async function produce() {
  const block = randomBytes(DIMENSION * 4096);
  const encodings = new Int8Array(block.buffer, block.byteOffset, block.length);
  for (let from = 0; from < events; from += BATCH) {
    const records = Array.from({ length: Math.min(BATCH, events - from) }, (_, j) => {
      const i = from + j;
      const at = ((i * 2654435761) >>> 0) % (block.length - DIMENSION);
      const encoding = encodings.subarray(at, at + DIMENSION);
      return toRecord(model, {
        kind: 'sample',
        sampleId: `sample-${i}`,
        label: `class-${i % 10}`,
        encoding,
      });
    });
    await stores.log.append(settings.topics.sampleEvents, records);
  }
}

/** What anybody would write: read, parse, COPY. Memberships are made up, as many as ours. */
async function copyLoop() {
  for (const table of ['samples', 'memberships']) {
    await pool.query(`CREATE TABLE bare_${table} (LIKE ${table} INCLUDING ALL)`);
  }
  const kafka = new kafkajs.Kafka({
    brokers: settings.kafka.brokers,
    logLevel: kafkajs.logLevel.ERROR,
  });
  const consumer = kafka.consumer({ groupId: `${prefix}bare`, maxBytesPerPartition: 2 ** 21 });
  const client = await pool.connect();
  await consumer.connect();
  await consumer.subscribe({ topics: [settings.topics.sampleEvents], fromBeginning: true });
  let seen = 0;
  const finished = new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          await copyBatch(client, batch);
          seen += batch.messages.length;
          if (seen >= events) resolve();
        },
      })
      .catch(reject);
  });
  await finished;
  await consumer.disconnect();
  client.release();
  for (const table of ['samples', 'memberships']) await pool.query(`DROP TABLE bare_${table}`);
}

async function copyBatch(client, { partition, messages }) {
  const samples = new CopyRows();
  const memberships = [];
  for (const { offset, value } of messages) {
    const { id, source, data } = JSON.parse(value.toString());
    const position = BigInt(offset);
    const chosen = Array.from({ length: ACTIVATED }, (_, k) => (Number(offset) * 7 + k) % adapters);
    samples
      .row(9)
      .text(data.sampleId)
      .int4(partition)
      .int8(position)
      .int4(partition)
      .int8(position)
      .int2(Number(data.label.slice(6)))
      .bytea(Buffer.from(data.encoding.int8, 'base64'))
      .int4Array(chosen)
      .text(id + source);
    for (const adapter of chosen) memberships.push([adapter, position]);
  }
  memberships.sort(([a], [b]) => a - b);
  const rows = new CopyRows();
  for (const [adapter, position] of memberships) {
    rows.row(3).int4(adapter).int4(partition).int8(position);
  }
  await client.query('BEGIN');
  await copyInto(
    client,
    `bare_samples (sample_id, partition, position, first_partition, first_position, label, encoding,
       adapters, ingest_id)`,
    samples.bytes(),
  );
  await copyInto(client, 'bare_memberships (adapter, partition, position)', rows.bytes());
  await client.query('COMMIT');
}

async function project() {
  const service = await openService({ ...stores, logger: pino({ level: 'silent' }) });
  const stop = new AbortController();
  const running = runRole(service, 'project', stop.signal, (_, error) => console.error(error));
  while ((await readLag(stores)) > 0n) await sleep(200);
  stop.abort();
  await running;
  await service.close();
  const { rows } = await pool.query('SELECT count(*) FROM samples');
  if (Number(rows[0].count) !== events) throw new Error(`${rows[0].count} samples, not ${events}`);
}

/** Resident memory of this process, looked at ten times a second. */
function watchMemory() {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 100);
  return {
    peak: () => peak,
    reset: () => {
      peak = 0;
    },
    stop: () => clearInterval(timer),
  };
}

function report({ produced, bare, projected, peak }) {
  const line = (name, { wall, cpu }) =>
    console.log(
      `${name.padEnd(44)} ${wall.toFixed(1).padStart(7)} s ${`${Math.round(events / wall)}`.padStart(8)}/s ${(bare.wall / wall).toFixed(2).padStart(6)} ${cpu.toFixed(1).padStart(7)} s`,
    );
  console.log(
    `${events} events of d = ${DIMENSION}, n = ${adapters}, k = ${ACTIVATED}; ratio to the bare loop, CPU`,
  );
  line('events into Kafka', produced);
  line('bare loop: kafkajs, JSON.parse, COPY', bare);
  line('projected, lag back to zero', projected);
  console.log(`\npeak resident memory while projecting: ${(peak / 2 ** 20).toFixed(0)} MiB`);
}
