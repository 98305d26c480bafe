import { readLag } from '../../service/catch-up.js';
import { readStatus } from '../../store/status.js';
import type { Context, ExitCode } from '../context.js';
import { withStores } from '../stores.js';

export async function run(context: Context): Promise<ExitCode> {
  const status = await withStores(context, async (stores) => ({
    ...(await readStatus(stores.database.pool)),
    lag: await readLag(stores),
  }));
  context.print(status, () => {
    if (status.model === null) return 'No model yet: create one with `legonet init MODEL.json`.';
    const version = status.version === null ? 'none yet' : `${status.version}`;
    return [
      `Model            ${status.model} (configuration ${status.configDigest})`,
      `Version          ${version}${status.modelDigest ? ` (digest ${status.modelDigest})` : ''}`,
      `Samples          ${status.retained} retained, ${status.deleted} deleted`,
      `Dirty adapters   ${status.dirtyAdapters}`,
      `Lag              ${status.lag} events`,
      `Dead letters     ${status.deadLetters}`,
      ...status.stopped.map(
        ({ id, partition, position, reason }) =>
          `STOPPED          partition ${partition} at ${position}: ${reason} (dead letter ${id})`,
      ),
      `Running          ${status.roles.length > 0 ? status.roles.join(', ') : 'nothing: `legonet start`'}`,
    ].join('\n');
  });
  return 0;
}
