import { LegonetError } from '../../errors.js';
import { readAdapter } from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, wanted: string): Promise<ExitCode> {
  const adapter = wholeNumber(wanted, 'J');
  const report = await withDatabase(context, (database) => readAdapter(database.pool, adapter));
  if (!report) {
    throw new LegonetError('no_adapter', `no adapter ${adapter}: the model has fewer, or none yet`);
  }
  context.print(report, () =>
    report.version === null
      ? `Adapter ${adapter} has not been built yet.`
      : `Adapter ${adapter}: ${report.members} members, built in version ${report.version}` +
        `${report.dirty ? ', to be rebuilt' : ''}\n  weights ${report.weightsDigest}`,
  );
  return 0;
}
