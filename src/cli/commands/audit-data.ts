import { exportData } from '../../service/audit-exports.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, path: string): Promise<ExitCode> {
  const exported = await withDatabase(context, (database) =>
    exportData(database, path, context.signal),
  );
  const { version, retained } = exported;
  context.print({ path, ...exported }, () => `${path}: version ${version}, ${retained} samples`);
  return 0;
}
