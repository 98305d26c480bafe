import pg from 'pg';
import { LegonetError } from '../errors.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import type { Trainer } from '../model/trainer.js';
import { sqlState } from '../store/database.js';
import { keepStatistics } from '../store/statistics.js';
import { type AdapterTask, buildAdapterFrom } from './adapter.js';

/**
 * Builds one adapter as of an exported snapshot, on a connection of its own, and keeps its statistics
 * where that pays: in a transaction apart, since they are true whether or not a version comes of it.
 * Throws `snapshot_gone` (retryable) when whoever exported the snapshot has ended.
 */
export async function buildInSnapshot(
  client: pg.Client,
  kernel: Kernel,
  trainer: Trainer | null,
  task: AdapterTask,
  snapshot: string,
): Promise<BuiltAdapter> {
  try {
    await begin(client, snapshot);
    const { statistics, ...built } = await buildAdapterFrom(client, kernel, trainer, task);
    await client.query('COMMIT');
    if (statistics) {
      await client.query('BEGIN');
      await keepStatistics(client, task.adapter, task.builtIn, { statistics, through: task.cut });
      await client.query('COMMIT');
    }
    return built;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
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
