import { engineOf } from '../../engine/choose.js';
import { describeBackend } from '../../model/backend.js';
import { readLag } from '../../service/catch-up.js';
import { duration } from '../../service/duration.js';
import { readKinds } from '../../store/model.js';
import { type ErasureStatus, readErasures, readStatus } from '../../store/status.js';
import type { Context, ExitCode } from '../context.js';
import { withStores } from '../stores.js';

export async function run(context: Context): Promise<ExitCode> {
  const { engine: asked, erasureDeadlineMs } = context.settings;
  const status = await withStores(context, async (stores) => {
    const { pool } = stores.database;
    const kinds = await readKinds(pool);
    return {
      ...(await readStatus(pool)),
      ...(await readErasures(pool, erasureDeadlineMs)),
      engine: kinds && engineOf(kinds, asked),
      lag: await readLag(stores),
    };
  });
  context.print(status, () => {
    if (status.model === null) return 'No model yet: create one with `legonet init MODEL.json`.';
    const version = status.version === null ? 'none yet' : `${status.version}`;
    return [
      `Model            ${status.model} (configuration ${status.configDigest})`,
      ...(status.backend ? [`Trained on       ${describeBackend(status.backend)}`] : []),
      `Version          ${version}${status.modelDigest ? ` (digest ${status.modelDigest})` : ''}`,
      ...(status.engine && !status.backend
        ? [`Engine           ${status.engine} (TensorFlow)`]
        : []),
      `Samples          ${status.retained} retained, ${status.deleted} deleted`,
      ...(status.unplaced > 0n ? [`Unplaced         ${status.unplaced} samples`] : []),
      `Dirty adapters   ${status.dirtyAdapters}`,
      `Lag              ${status.lag} events`,
      `Log erasures     ${describeErasures(status)}`,
      `Audit log        ${status.log.size} entries, ${status.log.signed} signed`,
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

function describeErasures({
  erasuresWaiting,
  erasuresOverdue,
  oldestErasureMs,
}: ErasureStatus): string {
  if (oldestErasureMs === null) return 'none waiting';
  const waiting = `${erasuresWaiting} waiting, the oldest for ${duration(oldestErasureMs)}`;
  return erasuresOverdue > 0n ? `${waiting}; ${erasuresOverdue} OVERDUE` : waiting;
}
