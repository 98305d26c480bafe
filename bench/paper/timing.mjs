// CPU seconds to unlearn one sample in memory, to be measured with no other thread of this process at work. Other
// processes do not count, as they would by the clock.
import { activate } from '#src/model/activation.js';
import { fitAdapter, fitFromStatistics, isDual, weightsBytes } from '#src/model/adapter.js';
import { membersByAdapter } from '#src/model/build.js';
import { accumulate, emptyStatistics } from '#src/model/statistics.js';
import { median } from '../support/cifar.mjs';
import { modelOf, random100, take } from './samples.mjs';
import { deal } from './shards.mjs';

/**
 * Median seconds of `deletions` of Random100, one by one: the k adapters rebuilt from their retained members
 * (`members`, as the paper does), and from kept sums where there are any (`sums`, as the service does). Both
 * give the same weights, or it throws.
 */
export function timeDeletions(kernel, samples, { deletions, ...setting }) {
  const { train } = samples;
  const model = modelOf(samples, setting);
  const members = membersByAdapter(kernel, model, train);
  const adapters = new Map();
  const times = { members: [], sums: [] };
  for (const row of random100(samples).slice(0, deletions)) {
    const spent = { members: 0, sums: 0 };
    for (const j of activatedBy(kernel, model, train, row)) {
      const adapter = adapters.get(j) ?? open(kernel, model, train, members[j]);
      adapters.set(j, adapter);
      const { members: fromMembers, sums } = unlearn(kernel, model, train, adapter, row);
      spent.members += fromMembers;
      spent.sums += sums;
    }
    times.members.push(spent.members);
    times.sums.push(spent.sums);
  }
  return { ...setting, members: median(times.members), sums: median(times.sums) };
}

/** The k adapters that a row is a member of. */
export function activatedBy(kernel, { keys, shape, configuration }, train, row) {
  const { dimension } = shape;
  const encoding = train.encodings.subarray(row * dimension, (row + 1) * dimension);
  return activate(kernel, keys, encoding, 1, configuration.activated);
}

function open(kernel, { shape }, train, members) {
  const rows = take(train, members, shape.dimension);
  const statistics = isDual(members.length, shape)
    ? null
    : accumulate(kernel, emptyStatistics(shape), shape, rows, 1);
  return { members, statistics };
}

/** Takes `row` from an adapter in both ways. */
function unlearn(kernel, { shape, configuration }, train, adapter, row) {
  const { lambda } = configuration.adapter;
  adapter.members = adapter.members.filter((member) => member !== row);
  const left = take(train, adapter.members, shape.dimension);
  const gone = take(train, [row], shape.dimension);
  const [rebuilt, members] = timed(() => fitAdapter(kernel, shape, lambda, left));
  if (!adapter.statistics || isDual(left.labels.length, shape)) return { members, sums: members };
  const [subtracted, sums] = timed(() => {
    adapter.statistics = accumulate(kernel, adapter.statistics, shape, gone, -1);
    return fitFromStatistics(kernel, shape, lambda, adapter.statistics);
  });
  if (Buffer.compare(weightsBytes(rebuilt), weightsBytes(subtracted)) !== 0) {
    throw new Error('subtraction and rebuilding differ');
  }
  return { members, sums };
}

/** Median seconds to fit one least-squares head of so many shards again without one sample. */
export function timeShard(kernel, samples, { shards, lambda, deletions }) {
  const { train, dimension } = samples;
  const { shape } = modelOf(samples, { adapters: 1, activated: 1, lambda });
  const times = deal(train.labels.length, shards)
    .slice(0, deletions)
    .map(([, ...rows]) => {
      const left = take(train, rows, dimension);
      const [, spent] = timed(() => fitAdapter(kernel, shape, lambda, left));
      return spent;
    });
  return { shards, lambda, seconds: median(times) };
}

/** What `work` returns, and the CPU seconds of all threads that it took. */
export function timed(work) {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1e6];
}
