import { LegonetError } from '../errors.js';
import type { BuiltAdapter } from '../model/build.js';
import { modelDigest } from '../model/digest.js';
import type { Model } from '../model/model.js';
import { type Database, transaction } from '../store/database.js';
import { announce } from './announce.js';
import { commitVersion, type NewVersion } from './commit.js';
import type { Compute } from './compute.js';
import { type BuildPlan, cutJson, readPlan } from './plan.js';

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
  const { database, model, now, reached = () => {} } = options;
  const client = await database.pool.connect();
  let prepared: { plan: BuildPlan; built: Map<number, BuiltAdapter> } | null;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const exported = await client.query('SELECT pg_export_snapshot() AS name');
    const plan = await readPlan(client);
    reached('build.cut-taken');
    prepared = plan.needed
      ? { plan, built: await rebuild(options, plan, exported.rows[0].name, signal) }
      : null;
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    // The session ends with whatever is left open in it, the exported snapshot included.
    client.release(true);
    throw error;
  }
  if (!prepared) return null;
  const { plan, built } = prepared;
  if (built.size === 0 && plan.latest !== null) {
    await applyWithoutBuild(database, plan, plan.latest.version);
    return null;
  }
  const next = nextVersion(model, plan, built);
  reached('build.before-commit');
  const retirements = await transaction(database.pool, async (tx) => {
    const retired = await commitVersion(tx, next);
    await announce(tx, model, next, retired, now());
    reached('build.in-commit');
    return retired;
  });
  reached('build.after-commit');
  return {
    version: next.version,
    modelDigest: next.modelDigest,
    rebuilt: [...built.keys()],
    deletions: plan.deletions,
    retired: retirements.map(({ version }) => version),
  };
}

async function rebuild(
  { model, compute, onAdapter = () => {} }: BuildOptions,
  plan: BuildPlan,
  snapshot: string,
  signal: AbortSignal,
): Promise<Map<number, BuiltAdapter>> {
  const built = new Map<number, BuiltAdapter>();
  const { lambda } = model.configuration.adapter;
  const stopped = new LegonetError('build_stopped', 'the build was stopped', 'retryable');
  await Promise.all(
    plan.dirty.map(async ({ adapter, builtIn, kept }) => {
      if (signal.aborted) throw stopped;
      const task = { adapter, builtIn, kept, shape: model.shape, lambda, cut: cutJson(plan.cut) };
      const result = await compute.build(task, snapshot);
      if (signal.aborted) throw stopped;
      built.set(adapter, result);
      onAdapter(built.size, plan.dirty.length);
    }),
  );
  return new Map([...built].sort(([a], [b]) => a - b));
}

function nextVersion(
  model: Model,
  plan: BuildPlan,
  built: ReadonlyMap<number, BuiltAdapter>,
): NewVersion {
  const digests = plan.digests.map((digest, adapter) => built.get(adapter)?.digest ?? digest ?? '');
  const parent = plan.latest?.version ?? null;
  return {
    version: (parent ?? 0) + 1,
    parent,
    modelDigest: modelDigest(model.digest, digests),
    configDigest: model.digest,
    plan,
    built,
  };
}

/** Requests that took nothing out of any adapter are met by the version in service. */
async function applyWithoutBuild(
  { pool }: Database,
  plan: BuildPlan,
  version: number,
): Promise<void> {
  await pool.query(
    `WITH applied AS (
       UPDATE deletions SET version = $1
       WHERE version IS NULL AND position < coalesce(($2::jsonb ->> partition::text)::bigint, 0)
     ) SELECT pg_notify('legonet_published', '')`,
    [version, JSON.stringify(cutJson(plan.cut))],
  );
}
