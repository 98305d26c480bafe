import { readSample } from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, sampleId: string): Promise<ExitCode> {
  const report = await withDatabase(context, (database) => readSample(database.pool, sampleId));
  const { state, adapters, firstVersion, lastVersion, requestId } = report;
  context.print(report, () => {
    if (state === 'unknown') return `Sample ${sampleId} has never been ingested here.`;
    const held =
      firstVersion === null
        ? 'no version has held it'
        : `held by versions ${firstVersion} to ${lastVersion}`;
    return state === 'retained'
      ? `Sample ${sampleId} is retained, in adapters ${adapters.join(', ')} (nearest first); ${held}.`
      : `Sample ${sampleId} is deleted by request ${requestId}; ${held}.`;
  });
  return 0;
}
