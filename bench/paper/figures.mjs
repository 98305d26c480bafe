// What tables and plots show, out of the lists in results.json.
import { MAIN } from './plan.mjs';

const same = (a, keys) => (b) => keys.every((key) => a[key] === b[key]);
const HEAD = ['shards', 'steps', 'batch'];

/** The results on encodings that are projected to so many components, or on those that are not. */
export const resultsOn = (results, components) =>
  Object.fromEntries(
    Object.entries(results).map(([name, rows]) => [
      name,
      rows.filter((row) => row.components === components),
    ]),
  );

/** CPU seconds to refit one head, on TensorFlow's native engine if it is a softmax head. */
const secondsOf = (times, row) =>
  times.find((time) => time.engine !== 'wasm' && same(row, HEAD)(time)).seconds;

/** LegoNet with least-squares adapters: a row for each n and k, accuracies beside CPU seconds. */
export function legonetOf({ legonet, deletions }, experiment) {
  return legonet
    .filter((row) => row.experiment === experiment)
    .map((row) => {
      const { members: rebuilt, sums } = deletions.find(same(row, ['adapters', 'activated']));
      return { ...row, rebuilt, sums };
    })
    .sort((a, b) => a.adapters - b.adapters || a.activated - b.activated);
}

export const mainOf = (results) =>
  legonetOf(results, 'Random100').find(same(MAIN, ['adapters', 'activated']));

/** FixSISA: a list of rows by s for each kind of head. */
export function headsOf({ shards, shard, softmaxShards, softmaxShard }, experiment) {
  const of = (rows, times) =>
    rows
      .filter((row) => row.experiment === experiment && !row.convergence)
      .map((row) => ({ ...row, seconds: secondsOf(times, row) }));
  return [
    { name: 'least squares', rows: of(shards, shard) },
    { name: 'softmax', rows: of(softmaxShards, softmaxShard) },
  ].filter(({ rows }) => rows.length > 0);
}

/** FixSISA with s = 10 softmax heads, by how they were trained. */
export const convergenceOf = ({ softmaxShards, softmaxShard }) =>
  softmaxShards
    .filter((row) => row.shards === 10)
    .map((row) => ({ ...row, seconds: secondsOf(softmaxShard, row) }))
    .sort((a, b) => (a.batch ?? 0) - (b.batch ?? 0) || a.steps - b.steps);

/** Of these the fastest that comes `within` so many points of the best, with its seconds on the other engine. */
export function opponentOf(results, within) {
  const rows = convergenceOf(results);
  const best = Math.max(...rows.map(({ test }) => test));
  const near = rows.filter(({ test }) => test >= best - within);
  const fastest = near.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const onWasm = results.softmaxShard.filter(({ engine }) => engine === 'wasm');
  return { ...fastest, wasmSeconds: onWasm.find(same(fastest, HEAD)).seconds };
}
