import { LegonetError } from '../../errors.js';
import { readVersions, type VersionRow } from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { withDatabase } from '../stores.js';

export async function run(context: Context, wanted: string | undefined): Promise<ExitCode> {
  const version = wanted === undefined ? undefined : wholeNumber(wanted, 'N');
  const rows = await withDatabase(context, (database) => readVersions(database.pool, version));
  const [only] = rows;
  if (version !== undefined && !only) {
    throw new LegonetError('no_version', `no version ${version}: see \`legonet versions\``);
  }
  context.print(version === undefined ? rows : only, () =>
    rows.length === 0 ? 'No version yet.' : rows.map(describe).join('\n'),
  );
  return 0;
}

function describe(row: VersionRow): string {
  const state = row.retiredAt
    ? `retired by version ${row.retiredBy}`
    : row.publishedAt
      ? `published ${row.publishedAt.toISOString()}`
      : 'not published yet';
  return [
    `Version ${row.version} (${state})`,
    `  digest ${row.modelDigest}`,
    `  ${row.retained} samples; ${row.rebuilt.length} adapters rebuilt, ${row.carried} carried; ` +
      `${row.deletions.length} deletion requests applied`,
  ].join('\n');
}
