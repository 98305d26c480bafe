import { LegonetError } from '../errors.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Model } from '../model/model.js';
import { type Shape, sumsBytes, unknowns } from '../model/statistics.js';
import type { AdapterTask } from './adapter.js';
import type { Compute } from './compute.js';
import type { DirtyAdapter, ToBuild } from './plan.js';
import type { Claims, SharedBuild } from './tasks.js';

/** What a build is made with and of. */
export type Workshop = {
  readonly model: Model;
  readonly compute: Compute;
};

/** As of which snapshot, and where that is. */
export type Cutting = Pick<SharedBuild, 'snapshot' | 'cut'>;

/** Builds one adapter. */
export function buildOne(
  { model, compute }: Workshop,
  { snapshot, cut }: Cutting,
  { adapter, builtIn, stored, kept, owed = [] }: ToBuild,
  keepLater = false,
): Promise<BuiltAdapter> {
  const { shape, configuration, keys } = model;
  const { adapter: settings } = configuration;
  const own = { stored, kept, owed, keepLater, keyed: keys === null };
  const task: AdapterTask = { adapter, builtIn, ...own, shape, settings, cut };
  return compute.build(task, snapshot);
}

/** About how long it takes, in no unit: reading and adding up its members, and solving for its weights. */
function costOf({ members, kept }: DirtyAdapter, shape: Shape): number {
  const n = unknowns(shape);
  const size = Math.min(members ?? 0, n);
  const read = kept ? 0 : (members ?? 0);
  return size ** 3 + read * n * (size + MEMBER_READ);
}

/** What reading a number takes, in multiplications of the kernel. */
const MEMBER_READ = 450;

/** Bytes of sums that wait to be written until all adapters are built. */
const KEPT_FOR_LATER = 2 ** 26;

/**
 * Builds all of them, the costliest first; `done` is told each. Throws `build_stopped` (retryable) when the signal
 * aborts.
 */
export async function buildAll(
  workshop: Workshop,
  cutting: Cutting,
  dirty: readonly DirtyAdapter[],
  done: (adapter: number, result: BuiltAdapter) => void,
  signal: AbortSignal,
): Promise<void> {
  const { shape } = workshop.model;
  const keepLater = dirty.length * sumsBytes(shape) <= KEPT_FOR_LATER;
  const inOrder = [...dirty].sort((a, b) => costOf(b, shape) - costOf(a, shape));
  await Promise.all(
    inOrder.map(async (task) => {
      throwIfStopped(signal);
      const result = await buildOne(workshop, cutting, task, keepLater);
      throwIfStopped(signal);
      done(task.adapter, result);
    }),
  );
}

/**
 * Takes and builds one task after the other, as many at a time as there are threads, until none is
 * left, or the signal aborts: what is begun is brought to its end, nothing more is taken.
 */
export async function workOff(
  workshop: Workshop,
  build: SharedBuild,
  claims: Claims,
  told: {
    readonly taken?: () => void;
    readonly done: (adapter: number, result: BuiltAdapter, ms: number) => Promise<void> | void;
  },
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const lane = async () => {
    while (!signal.aborted && !failed.signal.aborted) {
      const task = await claims.take();
      if (!task) return;
      told.taken?.();
      const begun = performance.now();
      const result = await buildOne(workshop, build, task);
      await told.done(task.adapter, result, performance.now() - begun);
    }
  };
  const lanes = Array.from({ length: workshop.compute.parallel }, () =>
    lane().catch((error) => {
      failed.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(lanes);
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure) throw failure.reason;
}

export function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new LegonetError('build_stopped', 'the build was stopped', 'retryable');
}
