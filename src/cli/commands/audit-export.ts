import { exportLog } from '../../service/export-log.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, directory: string): Promise<ExitCode> {
  const exported = await withDatabase(context, (database) =>
    exportLog(database, directory, context.signal),
  );
  const { size, added } = exported;
  context.print(
    { directory, ...exported },
    () => `${directory}: ${size} entries, ${added} of them new`,
  );
  return 0;
}
