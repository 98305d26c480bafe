import pg from 'pg';
import type { BuiltAdapter } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import { keepStatistics } from '../store/statistics.js';
import { type AdapterTask, buildAdapterFrom } from './adapter.js';

/**
 * Builds one adapter as of an exported snapshot, on a connection of its own, and keeps its statistics
 * where that pays: in a transaction apart, since they are true whether or not a version comes of it.
 */
export async function buildInSnapshot(
  client: pg.Client,
  kernel: Kernel,
  task: AdapterTask,
  snapshot: string,
): Promise<BuiltAdapter> {
  await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
     SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(snapshot)};
     SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off`,
  );
  const { statistics, ...built } = await buildAdapterFrom(client, kernel, task);
  await client.query('COMMIT');
  if (statistics) {
    await client.query('BEGIN');
    await keepStatistics(client, task.adapter, task.builtIn, { statistics, through: task.cut });
    await client.query('COMMIT');
  }
  return built;
}
