// The experiments of the LegoNet paper (arXiv 2210.16023) on CIFAR-10 encodings:
//   node bench/paper/main.mjs --data DIRECTORY   everything, into results.json and docs/paper.md
//   ... --quick                                  small sizes, to see that it runs: printed, nothing written
//   ... --cache FILE                             where finished tasks are kept, for a run that was stopped
//   node bench/paper/main.mjs --report           docs/paper.md and its plots again from results.json
//   node bench/paper/main.mjs --check            whether they are those of results.json
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SHARE_ENV } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { shareNative } from '#src/engine/native.js';
import { dataDirectory } from '../support/cifar.mjs';
import { plan } from './plan.mjs';
import { staleFiles, writePage } from './report.mjs';
import { openResults, readResults, saveResults } from './results.mjs';
import { loadSamples } from './samples.mjs';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    quick: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    cache: { type: 'string', default: join(tmpdir(), 'legonet-paper.json') },
  },
});
// TensorFlow's own threads wait for each other busily, which CPU time would count.
Object.assign(process.env, { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' });
const say = (text) => console.error(`${new Date().toTimeString().slice(0, 8)} ${text}`);

if (options.check) check();
else {
  if (!options.report) await measure();
  if (!options.quick) writePage(readResults());
}

async function measure() {
  const { sizes, projections, phases } = plan(options.quick);
  const results = openResults(options.quick ? null : options.cache);
  const samples = new Map();
  for (const components of [undefined, ...projections]) {
    samples.set(components, await loadSamples(dataDirectory(), sizes, components));
  }
  shareNative();
  for (const phase of phases) await run(results, samples, phase);
  const all = results.of(phases.flatMap(({ tasks }) => tasks));
  if (options.quick) console.log(JSON.stringify(all, null, 1));
  else saveResults(all);
  results.close();
}

function check() {
  const stale = staleFiles(readResults());
  for (const path of stale) {
    console.error(`${path} is not what results.json gives: node bench/paper/main.mjs --report`);
  }
  process.exitCode = stale.length > 0 ? 1 : 0;
}

/** The tasks of a phase that have no result yet, in their order. */
async function run(results, samples, { tasks, threads }) {
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./worker.mjs', import.meta.url)),
    maxThreads: threads,
    // TensorFlow's library reads it.
    env: SHARE_ENV,
    workerData: samples,
  });
  const missing = tasks.filter((task) => !results.has(task)).values();
  const work = async () => {
    for (const task of missing) {
      const { name, ...rest } = task;
      results.add(task, await pool.run(rest, { name }));
      say(JSON.stringify(task));
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  await pool.destroy();
}
