import type { PoolClient } from 'pg';
import type { Model } from '../model/model.js';
import type { Database } from '../store/database.js';
import { needsPlacing } from './anchors.js';
import type { Compute } from './compute.js';
import { placeThen } from './place.js';
import { type BuildPlan, readPlan } from './plan.js';

type CutOptions = {
  readonly database: Database;
  readonly model: Model;
  readonly compute: Compute;
  readonly reached?: (point: string) => void;
};

/** A plan, and the session whose open transaction is its snapshot. */
export type BuildCut = {
  readonly client: PoolClient;
  readonly snapshot: string;
  readonly plan: BuildPlan;
};

/** Places samples first, where keys are samples and some wait for it. Null when nothing has changed. */
export async function takeCut(
  { database, model, compute, reached = () => {} }: CutOptions,
  signal: AbortSignal,
): Promise<BuildCut | null> {
  const client = await database.pool.connect();
  try {
    let snapshot = await beginSnapshot(client);
    if (model.keys === null && (await needsPlacing(client))) {
      await client.query('ROLLBACK');
      const placer = { model, compute, reached };
      snapshot = await placeThen(client, placer, signal, () => beginSnapshot(client));
    }
    const plan = await readPlan(client);
    reached('build.cut-taken');
    if (plan.needed) return { client, snapshot, plan };
    await client.query('COMMIT');
    client.release();
    return null;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function beginSnapshot(client: PoolClient): Promise<string> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const exported = await client.query<{ name: string }>('SELECT pg_export_snapshot() AS name');
  return exported.rows[0]?.name ?? '';
}
