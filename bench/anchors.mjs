// Keys that are samples, on CIFAR-10: node bench/anchors.mjs --data DIRECTORY [--deletions 9]
import { predict } from '#src/model/predict.js';
import { catchUp } from '#src/service/catch-up.js';
import { buildFromScratch } from '#src/service/from-scratch.js';
import { ROLES, runRole } from '#src/service/roles.js';
import { loadServedModel } from '#src/store/served-model.js';
import {
  CLASSES,
  cifarModel,
  dataDirectory,
  encode,
  ingestCifar,
  KEY_ROWS,
  median,
  openBench,
  readCifar,
  seconds,
} from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';

const never = new AbortController().signal;
const at = process.argv.indexOf('--deletions');
const deletions = at > 0 ? Number(process.argv[at + 1]) : 9;
const say = (text) => console.error(text);

const directory = dataDirectory();
const cifar = await readCifar(directory);
const { model, files } = cifarModel(directory, cifar.test, { keys: { kind: 'anchors', seed: 1 } });
const { stores, service, close } = await openBench(model, files);
const { pool } = stores.database;
let locked = 0;
let placing = 0;
let trained = 0;
const watched = {
  ...service,
  compute: {
    ...service.compute,
    build: (task, snapshot) => {
      trained += 1;
      return service.compute.build(task, snapshot);
    },
  },
  reached: (point) => {
    if (point === 'place.locked') locked = performance.now();
    if (point === 'place.after-commit') placing = seconds(locked);
  },
};
try {
  say('ingesting 50,000 samples …');
  await ingestCifar(stores, model, cifar);
  say('first build …');
  const start = performance.now();
  await catchUp(watched, never);
  const first = { total: seconds(start), placing };
  // As autovacuum and the checkpointer leave it some minutes after such an ingest.
  await pool.query('VACUUM ANALYZE');
  await pool.query('CHECKPOINT');
  say(`built in ${first.total.toFixed(1)} s; ${deletions} deletions of each kind …`);
  const accuracy = await accuracyInService();
  const others = await deleteOneByOne('NOT IN');
  const anchors = await deleteOneByOne('IN');
  report({ first, others, anchors, accuracy });
  const scratch = await buildFromScratch(stores.database, service.kernel, model, never);
  const equal = scratch.modelDigest === scratch.published?.modelDigest;
  console.log(`\ndigest equal to a build from scratch: ${equal}`);
  process.exitCode = equal ? 0 : 1;
} finally {
  await close();
}

async function accuracyInService() {
  const served = await loadServedModel(stores.database, model);
  const encodings = encode(model, cifar.test).subarray(KEY_ROWS * model.shape.dimension);
  const count = cifar.test.rows - KEY_ROWS;
  const predictions = predict(service.kernel, served.model, served.weights, encodings, count);
  const right = predictions.filter(
    ({ label }, i) => label === CLASSES[cifar.testLabels[KEY_ROWS + i]],
  );
  return (100 * right.length) / count;
}

/** Medians over deletions of samples that are anchors, or are not, with the roles running. */
async function deleteOneByOne(which) {
  const stop = new AbortController();
  const roles = ROLES.map((role) => runRole(watched, role, stop.signal, (_, error) => say(error)));
  const { time, listening } = timeDeletions(service, stop.signal);
  const found = { seconds: [], placing: [], moved: [], rebuilt: [], trained: [] };
  for (let i = 0; i < deletions; i++) {
    const { rows } = await pool.query(
      `SELECT sample_id AS id, (SELECT max(batch) FROM tlog_batches) AS batch FROM samples
       WHERE sample_id ${which} (SELECT sample_id FROM anchors)
       ORDER BY sha256(convert_to(sample_id, 'UTF8')) LIMIT 1`,
    );
    placing = 0;
    trained = 0;
    found.seconds.push(await time(`${which}-${i}`, rows[0].id));
    const after = await pool.query(
      `SELECT (SELECT count(*) FROM samples WHERE leaf_batch > $1)::int AS moved,
              (SELECT cardinality(rebuilt) FROM versions ORDER BY version DESC LIMIT 1) AS rebuilt`,
      [rows[0].batch],
    );
    found.placing.push(placing);
    found.trained.push(trained);
    found.moved.push(after.rows[0].moved);
    found.rebuilt.push(after.rows[0].rebuilt);
  }
  stop.abort();
  await Promise.all([...roles, listening]);
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, median(values)]));
}

function report({ first, others, anchors, accuracy }) {
  const ms = (time) => `${(1000 * time).toFixed(0)} ms`;
  const line = (name, value, note = '') =>
    console.log(`${name.padEnd(52)} ${value.padStart(10)}  ${note}`);
  const times = (time) => `${(time / others.seconds).toFixed(1)} x`;
  console.log(
    `CIFAR-10 encodings, anchors: N = 50,000, d = 768, n = 1000, k = 10; medians of ${deletions}`,
  );
  line('all events to the first version', ms(first.total));
  line(
    '  of that placing all samples',
    ms(first.placing),
    `${(first.total / first.placing).toFixed(0)} times as long in all`,
  );
  line('delete -> published, no anchor', ms(others.seconds), `${others.trained} adapters trained`);
  line('delete -> published, an anchor', ms(anchors.seconds), times(anchors.seconds));
  line('  of that placing', ms(anchors.placing), times(anchors.placing));
  line('  samples moved', `${anchors.moved}`);
  line('  adapters declared anew, of these trained', `${anchors.rebuilt}, ${anchors.trained}`);
  line('accuracy', `${accuracy.toFixed(2)} %`);
}
