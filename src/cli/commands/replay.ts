import { LegonetError } from '../../errors.js';
import { replay } from '../../service/replay.js';
import { openService } from '../../service/service.js';
import { readStatus } from '../../store/status.js';
import type { Context, ExitCode } from '../context.js';
import { createLogger } from '../logger.js';
import { createProgress, type Progress } from '../progress.js';
import { withStores } from '../stores.js';

export async function run(context: Context): Promise<ExitCode> {
  const { signal } = context;
  const { before, after } = await withStores(context, async (stores) => {
    const { database, settings } = stores;
    const old = await readStatus(database.pool);
    const service = await openService({ ...stores, logger: await createLogger(settings) });
    try {
      let progress: Progress | undefined;
      const options = { unit: 'events', quiet: context.json };
      const onProgress = (done: number, total: number) => {
        progress ??= createProgress('Replaying', total, options);
        progress.update(done);
      };
      await replay(service, signal, onProgress).finally(() => progress?.stop());
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
