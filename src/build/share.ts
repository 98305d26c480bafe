import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltAdapter } from '../model/build.js';
import type { Database } from '../store/database.js';
import type { BuildPlan } from './plan.js';
import {
  Claims,
  endBuild,
  type HandedIn,
  openBuild,
  readResults,
  type SharedBuild,
} from './tasks.js';
import { buildAll, throwIfStopped, type Workshop, workOff } from './work.js';

type Leader = Workshop & {
  readonly database: Database;
  readonly onAdapter: (done: number, total: number) => void;
  readonly reached: (point: string) => void;
};

/** What the leader has built, and what others have: these weights are still in the build's results. */
export type Shared = {
  readonly build: SharedBuild;
  readonly own: ReadonlyMap<number, BuiltAdapter>;
  readonly handedIn: ReadonlyMap<number, HandedIn>;
};

/** From so many dirty adapters on, sharing them out is worth its while. */
export const SHARE_FROM = 64;

/** How often the leader looks for results once it has nothing left to build. */
const LOOK_MS = 20;
/**
 * How long it then waits for another one before it builds the missing ones itself: so many times what
 * its own slowest took, and at least so long. (Doing one twice is harmless: the bits are the same.)
 */
const PATIENCE = 3;
const LEAST_PATIENCE_MS = 100;

/**
 * Builds the plan's dirty adapters together with whoever helps. The build stays open, for its results
 * to be committed; where that fails, it is over. Throws `build_stopped` when the signal aborts.
 */
export async function buildShared(
  leader: Leader,
  plan: BuildPlan,
  snapshot: string,
  cut: SharedBuild['cut'],
  signal: AbortSignal,
): Promise<Shared> {
  const { database, reached } = leader;
  const build = await openBuild(database, snapshot, cut, plan.dirty);
  try {
    reached('share.opened');
    const claims = await Claims.open(database, build);
    try {
      const shared = await gather(leader, plan, build, claims, signal);
      reached('share.gathered');
      return shared;
    } finally {
      await claims.close();
    }
  } catch (error) {
    await endBuild(database, build.id).catch(() => {});
    throw error;
  }
}

async function gather(
  leader: Leader,
  { dirty }: BuildPlan,
  build: SharedBuild,
  claims: Claims,
  signal: AbortSignal,
): Promise<Shared> {
  const { database, onAdapter, reached } = leader;
  const own = new Map<number, BuiltAdapter>();
  let slowest = 0;
  let missing = Number.POSITIVE_INFINITY;
  let since = 0;
  for (;;) {
    const done = (adapter: number, result: BuiltAdapter, ms: number) => {
      own.set(adapter, result);
      slowest = Math.max(slowest, ms);
      reached('share.built');
      onAdapter(own.size, dirty.length);
    };
    // At first most of them; later what others have given back.
    await workOff(leader, build, claims, { done }, signal);
    throwIfStopped(signal);
    const handedIn = await readResults(database, build);
    for (const adapter of own.keys()) handedIn.delete(adapter);
    const left = dirty.filter(({ adapter }) => !own.has(adapter) && !handedIn.has(adapter));
    onAdapter(dirty.length - left.length, dirty.length);
    if (left.length === 0) return { build, own, handedIn };
    const now = performance.now();
    if (left.length < missing) {
      missing = left.length;
      since = now;
    } else if (now - since > Math.max(LEAST_PATIENCE_MS, PATIENCE * slowest)) {
      await buildAll(leader, build, left, (adapter, result) => own.set(adapter, result), signal);
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}
