import { LegonetError } from '../../errors.js';
import { type DeletionReport, readDeletions } from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, requestId: string | undefined): Promise<ExitCode> {
  const rows = await withDatabase(context, (database) => readDeletions(database.pool, requestId));
  if (requestId !== undefined && rows.length === 0) {
    throw new LegonetError('no_deletion', `no request ${requestId}: see \`legonet deletions\``);
  }
  context.print(rows, () =>
    rows.length === 0 ? 'No deletion has been asked for.' : rows.map(describe).join('\n'),
  );
  return 0;
}

function describe(row: DeletionReport): string {
  const state = row.publishedAt
    ? `published without them: version ${row.version}, ${row.publishedAt.toISOString()}`
    : 'not published yet';
  return (
    `Request ${row.requestId}: ${row.kind} ${row.target}${row.reason ? ` (${row.reason})` : ''}\n` +
    `  ${row.removed} retained samples removed; ${state}`
  );
}
