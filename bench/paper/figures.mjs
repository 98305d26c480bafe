// What tables and plots show, out of the lists in results.json.
import { MAIN } from './plan.mjs';

const same = (a, keys) => (b) => keys.every((key) => a[key] === b[key]);
const HEAD = ['shards', 'steps', 'batch'];
const SETTING = ['adapters', 'activated'];

/** The results on encodings that are projected to so many components, or on those that are not. */
export const resultsOn = (results, components) =>
  Object.fromEntries(
    Object.entries(results).map(([name, rows]) => [
      name,
      rows.filter((row) => row.components === components),
    ]),
  );

/** The one with the same `keys` as `row`. */
function timeOf(times, row, keys) {
  const found = times?.find(same(row, keys));
  if (found) return found;
  const missing = JSON.stringify(Object.fromEntries(keys.map((key) => [key, row[key]])));
  throw new Error(`results.json has no time for ${missing}: node bench/paper/main.mjs`);
}

/** CPU seconds, on TensorFlow's native engine and in WebAssembly, to refit a head or the adapters of one deletion. */
const nativeSeconds = (times, row, keys) => timeOf(times?.filter(isNative), row, keys).seconds;
const wasmSeconds = (times, row, keys) =>
  timeOf(
    times?.filter((time) => !isNative(time)),
    row,
    keys,
  ).seconds;
const isNative = ({ engine }) => engine !== 'wasm';

const bySetting = (a, b) => a.adapters - b.adapters || a.activated - b.activated;

/** LegoNet with least-squares adapters: a row for each n and k, CPU seconds from kept sums and `rebuilt` from members. */
export function legonetOf({ legonet, deletions }, experiment) {
  return legonet
    .filter((row) => row.experiment === experiment)
    .map((row) => {
      const { members: rebuilt, sums: seconds } = timeOf(deletions, row, SETTING);
      return { ...row, rebuilt, seconds };
    })
    .sort(bySetting);
}

/** The same with softmax adapters, trained from their members. */
export const softmaxLegonetOf = ({ softmaxLegonet, softmaxDeletions }, experiment) =>
  softmaxLegonet
    .filter((row) => row.experiment === experiment)
    .map((row) => ({ ...row, seconds: nativeSeconds(softmaxDeletions, row, SETTING) }))
    .sort(bySetting);

/** Of such rows that of one setting, by default the main one. */
export const settingOf = (rows, setting = MAIN) => rows.find(same(setting, SETTING));

export const mainOf = (results) => settingOf(legonetOf(results, 'Random100'));

/** Adapters and heads of the same kind: LegoNet by n and k, and FixSISA by s. */
export function kindsOf(results, experiment) {
  const heads = (rows, times) =>
    rows
      .filter((row) => row.experiment === experiment && !row.convergence)
      .map((row) => ({ ...row, seconds: nativeSeconds(times, row, HEAD) }));
  return [
    {
      name: 'least squares',
      legonet: legonetOf(results, experiment),
      heads: heads(results.shards, results.shard),
    },
    {
      name: 'softmax',
      legonet: softmaxLegonetOf(results, experiment),
      heads: heads(results.softmaxShards, results.softmaxShard),
    },
  ];
}

/** FixSISA with s = 10 softmax heads, by how they were trained. */
export const convergenceOf = ({ softmaxShards, softmaxShard }) =>
  softmaxShards
    .filter((row) => row.shards === 10 && row.experiment === 'Random100')
    .map((row) => ({
      ...row,
      seconds: nativeSeconds(softmaxShard, row, HEAD),
      wasmSeconds: wasmSeconds(softmaxShard, row, HEAD),
    }))
    .sort((a, b) => (a.batch ?? 0) - (b.batch ?? 0) || a.steps - b.steps);

/** The best accuracy that any of these comes to. */
export const bestOf = (results) => Math.max(...convergenceOf(results).map(({ test }) => test));

/** Of these the fastest that comes `within` so many points of the best. */
export function opponentOf(results, within) {
  const best = bestOf(results);
  const near = convergenceOf(results).filter(({ test }) => test >= best - within);
  return near.reduce((a, b) => (b.seconds < a.seconds ? b : a));
}

/** LegoNet with softmax adapters at the main setting, timed on both engines. */
export function softmaxMainOf(results) {
  const row = settingOf(softmaxLegonetOf(results, 'Random100'));
  return { ...row, wasmSeconds: wasmSeconds(results.softmaxDeletions, row, SETTING) };
}
