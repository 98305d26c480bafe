import type { PoolClient } from 'pg';
import { modelDigestOf } from '../model/digest.js';
import type { Model } from '../model/model.js';
import { type Database, transaction } from '../store/database.js';
import { countBuilders } from '../store/lock.js';
import { forgetRemoved } from '../store/removed-members.js';
import { writeSets } from '../store/sets-write.js';
import { type Traced, traced } from '../tracing.js';
import { announce } from './announce.js';
import { declareIntent, recordVersion } from './attest.js';
import { applyRequests, commitVersion, type NewVersion, type Rebuilt } from './commit.js';
import type { Compute } from './compute.js';
import { type BuildCut, takeCut } from './cut.js';
import { EntryTree } from './entry-tree.js';
import { withOwed } from './owed.js';
import { forgetMoves, holdPlacement } from './placement.js';
import { type BuildPlan, cutJson } from './plan.js';
import { rememberStates } from './remembered-sets.js';
import { setsAt } from './sets.js';
import { buildShared, SHARE_FROM } from './share.js';
import { endBuild } from './tasks.js';
import { buildAll } from './work.js';

export type BuildOptions = {
  readonly database: Database;
  readonly model: Model;
  readonly compute: Compute;
  readonly now: () => Date;
  readonly onAdapter?: (done: number, total: number) => void;
  /** Told each point passed; tests end the process there. */
  readonly reached?: (point: string) => void;
};

/** What a build came to. */
export type BuildOutcome = {
  readonly version: number;
  readonly modelDigest: string;
  readonly rebuilt: readonly number[];
  /** How many of them other processes have built. */
  readonly helped: number;
  readonly deletions: readonly string[];
  readonly retired: readonly number[];
};

/**
 * Builds the next model version from one consistent cut: rebuilds the dirty adapters, carries the
 * others, commits. Null when there is nothing to do. Throws `build_overtaken` (retryable) if another
 * builder committed first. An abort leaves nothing behind.
 */
export async function buildVersion(
  options: BuildOptions,
  signal: AbortSignal,
): Promise<BuildOutcome | null> {
  const cut = await takeCut(options, signal);
  if (!cut) return null;
  return traced({ name: 'build', causes: cut.plan.causes }, (span) =>
    buildFrom(options, cut, span, signal),
  );
}

async function buildFrom(
  options: BuildOptions,
  cut: BuildCut,
  span: Traced,
  signal: AbortSignal,
): Promise<BuildOutcome | null> {
  const { plan } = cut;
  const { built, shared, audit } = await buildAdapters(options, cut, signal);
  span.note({ adapters_rebuilt: built.size, deletions: plan.deletions.length });
  try {
    if (audit) {
      const next = nextVersion(options.model, plan, { built, shared, ...audit }, span.traceparent);
      span.note({ version: next.version });
      return await commit(options, next);
    }
    if (plan.latest) await applyWithoutBuild(options.database, plan, plan.latest.version);
    return null;
  } finally {
    if (shared !== null) await endBuild(options.database, shared);
  }
}

type Built = Pick<NewVersion, 'built' | 'shared'>;
/** Null where there is nothing to train. */
type Audited = { readonly audit: Pick<NewVersion, 'sets' | 'intent'> | null };

async function buildAdapters(
  options: BuildOptions,
  { client, snapshot, plan }: BuildCut,
  signal: AbortSignal,
): Promise<Built & Audited> {
  try {
    const audit = await declare(options, client, plan);
    const built = await rebuild(options, client, plan, snapshot, signal);
    await client.query('COMMIT');
    client.release();
    return { ...built, audit };
  } catch (error) {
    // The session ends with whatever is left open in it, the exported snapshot included.
    client.release(true);
    throw error;
  }
}

/** Commits to what the adapters are to be trained on, before they are. */
async function declare(
  { database, model, now, reached = () => {} }: BuildOptions,
  client: PoolClient,
  plan: BuildPlan,
): Promise<Audited['audit']> {
  if (plan.dirty.length === 0) return null;
  const sets = await setsAt(client, database, plan);
  const intent = await declareIntent(database, model, plan, sets, now());
  reached('build.intent-declared');
  return { sets, intent };
}

/** With others, where there are any and it pays. */
async function rebuild(
  options: BuildOptions,
  client: PoolClient,
  plan: BuildPlan,
  snapshot: string,
  signal: AbortSignal,
): Promise<Built> {
  const { database, onAdapter = () => {}, reached = () => {} } = options;
  const cut = cutJson(plan.cut);
  // What only commits to its members anew is what it was: it need not be computed.
  const built = new Map<number, Rebuilt>(
    plan.dirty.flatMap(({ adapter, same }) => (same ? [[adapter, same]] : [])),
  );
  const dirty = plan.dirty.filter(({ same }) => !same);
  let shared: string | null = null;
  if (dirty.length >= SHARE_FROM && (await countBuilders(database.pool)) > 1) {
    const leader = { ...options, onAdapter, reached };
    const { build, own, handedIn } = await buildShared(
      leader,
      { ...plan, dirty },
      snapshot,
      cut,
      signal,
    );
    for (const [adapter, result] of [...own, ...handedIn]) built.set(adapter, result);
    shared = build.id;
  } else {
    const done = (adapter: number, result: Rebuilt) => {
      built.set(adapter, result);
      onAdapter(built.size, plan.dirty.length);
    };
    const owed = await withOwed(client, database, dirty);
    await buildAll(options, { snapshot, cut }, owed, done, signal);
  }
  return { built: new Map([...built].sort(([a], [b]) => a - b)), shared };
}

async function commit(
  { database, model, now, reached = () => {} }: BuildOptions,
  next: NewVersion,
): Promise<BuildOutcome> {
  const { plan, built } = next;
  reached('build.before-commit');
  const retirements = await transaction(database.pool, async (tx) => {
    if (model.keys === null) await holdPlacement(tx, plan);
    const retired = await commitVersion(tx, next);
    reached('build.model-written');
    await writeSets(tx, next.sets.prepared);
    const versions = retired.map(({ version }) => version);
    await recordVersion(tx, model, next, versions, now());
    if (model.keys === null) await forgetMoves(tx, plan);
    reached('build.recorded');
    await announce(tx, model, next, retired, now());
    reached('build.in-commit');
    return retired;
  });
  const same = plan.dirty.filter((dirty) => dirty.same);
  rememberStates(database, { cut: plan.cut, states: next.sets.states });
  forgetRemoved(database, plan.cut);
  reached('build.after-commit');
  return {
    version: next.version,
    modelDigest: next.modelDigest,
    rebuilt: [...built.keys()],
    helped: [...built.values()].filter(({ bytes }) => bytes === undefined).length - same.length,
    deletions: plan.deletions,
    retired: retirements.map(({ version }) => version),
  };
}

/** Over the weights digests of the last version: few change from one to the next. */
const weightsTree = new EntryTree<string>(
  (a, b) => a === b,
  (digest) => Buffer.from(digest, 'hex'),
);

function nextVersion(
  model: Model,
  plan: BuildPlan,
  work: Pick<NewVersion, 'built' | 'shared' | 'sets' | 'intent'>,
  traceparent: string | null,
): NewVersion {
  const { built } = work;
  const digests = plan.digests.map((digest, adapter) => built.get(adapter)?.digest ?? digest ?? '');
  const parent = plan.latest?.version ?? null;
  return {
    version: (parent ?? 0) + 1,
    parent,
    modelDigest: modelDigestOf(model.digest, weightsTree.root(digests)),
    configDigest: model.digest,
    plan,
    ...work,
    traceparent,
  };
}

/** What took nothing out of any adapter is met by the version in service. */
async function applyWithoutBuild(
  { pool }: Database,
  plan: BuildPlan,
  version: number,
): Promise<void> {
  await transaction(pool, async (tx) => {
    await applyRequests(tx, version, plan.cut);
    await tx.query(`SELECT pg_notify('legonet_published', '')`);
  });
}
