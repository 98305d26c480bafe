import { LegonetError } from '../../errors.js';
import { catchUp, readLag } from '../../service/catch-up.js';
import { openService } from '../../service/service.js';
import { dropProjections } from '../../store/replay.js';
import { readStatus } from '../../store/status.js';
import type { Context, ExitCode } from '../context.js';
import { createLogger } from '../logger.js';
import { createProgress } from '../progress.js';
import { withStores } from '../stores.js';

export async function run(context: Context): Promise<ExitCode> {
  const { signal } = context;
  const { before, after } = await withStores(context, async (stores) => {
    const { database, settings } = stores;
    const old = await readStatus(database.pool);
    const service = await openService({ ...stores, logger: await createLogger(settings) });
    try {
      const ends = await stores.log.ends(settings.topics.sampleEvents);
      await dropProjections(database, ends, stores.log.compacts);
      const total = Number(await readLag(stores));
      const progress = createProgress('Replaying', total, { unit: 'events', quiet: context.json });
      let done = 0;
      const onProjected = (records: number) => {
        done += records;
        progress.update(done);
      };
      try {
        await catchUp({ ...service, onProjected }, signal);
        // Erased records count as lag, and are never read.
        if (!signal.aborted) progress.update(total);
      } finally {
        progress.stop();
      }
    } finally {
      await service.close();
    }
    if (signal.aborted) {
      throw new LegonetError('interrupted', 'stopped half-way: `legonet start --once` goes on');
    }
    return { before: old, after: await readStatus(database.pool) };
  });
  const equal = before.modelDigest === after.modelDigest;
  const { version, modelDigest, retained, deleted } = after;
  context.print(
    { version, modelDigest, retained, deleted, before: before.modelDigest, equal },
    () =>
      [
        `Replayed: ${retained} samples retained, ${deleted} deleted.`,
        `Version ${version}: ${modelDigest}`,
        equal ? 'The same model as before.' : `Before: ${before.modelDigest}`,
      ].join('\n'),
  );
  return 0;
}
