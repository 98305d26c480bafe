import pg from 'pg';
import { LegonetError } from '../errors.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import type { Trainer } from '../model/trainer.js';
import { sqlState } from '../store/database.js';
import { readGeneration } from '../store/placement.js';
import { type BuiltAt, keepStatistics, type NewSums } from '../store/statistics.js';
import { type AdapterTask, buildAdapterFrom } from './adapter.js';

/** Statistics that are to be kept, or not any more. */
export type Keeping = BuiltAt & { readonly sums: NewSums };

export type BuiltInSnapshot = {
  readonly built: BuiltAdapter;
  /** What is left to `keep`. */
  readonly keeping: Keeping | null;
};

/**
 * Builds one adapter as of an exported snapshot, on a connection of its own. Throws `snapshot_gone`
 * (retryable) when whoever exported the snapshot has ended.
 */
export async function buildInSnapshot(
  client: pg.Client,
  kernel: Kernel,
  trainer: Trainer | null,
  task: AdapterTask,
  snapshot: string,
): Promise<BuiltInSnapshot> {
  const { adapter, builtIn, cut, stored, keyed, keepLater } = task;
  try {
    await begin(client, snapshot);
    const { sums, ...built } = await buildAdapterFrom(client, kernel, trainer, task);
    const generation = keyed ? await readGeneration(client) : 0n;
    await client.query('COMMIT');
    const keeping = sums || stored ? { adapter, builtIn, cut, generation, sums } : null;
    if (keepLater || !keeping) return { built, keeping };
    await keep(client, keeping);
    return { built, keeping: null };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Keeps statistics in a transaction of their own: they are true whether or not a version comes of them. */
export async function keep(client: pg.Client, { sums, ...at }: Keeping): Promise<void> {
  await client.query('BEGIN');
  await keepStatistics(client, at, sums);
  await client.query('COMMIT');
}

/** What importing fails with, in this and in earlier PostgreSQLs, when the exporter is not there. */
const GONE = ['42704', '22023', '55000'];

async function begin(client: pg.Client, snapshot: string): Promise<void> {
  try {
    await client.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
       SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(snapshot)};
       SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off`,
    );
  } catch (cause) {
    if (!GONE.includes(sqlState(cause) ?? '')) throw cause;
    throw new LegonetError('snapshot_gone', 'who leads the build has ended', 'retryable', {
      cause,
    });
  }
}
