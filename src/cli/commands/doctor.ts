import { readLag } from '../../service/catch-up.js';
import { examine, type Finding } from '../../service/examine.js';
import type { Context, ExitCode } from '../context.js';
import { withStores } from '../stores.js';

export async function run(context: Context): Promise<ExitCode> {
  const findings = await look(context);
  const ok = findings.every((finding) => finding.ok);
  context.print({ ok, findings }, () =>
    findings
      .map(({ name, ok: fine, detail, remedy }) =>
        fine ? `ok    ${name}: ${detail}` : `FAIL  ${name}: ${detail}\n      ${remedy ?? ''}`,
      )
      .join('\n'),
  );
  return ok ? 0 : 1;
}

/** That the database opens is the first finding: without it there are no others. */
async function look(context: Context): Promise<Finding[]> {
  const place = context.settings.databaseUrl ? 'DATABASE_URL' : context.settings.dataDir;
  try {
    return await withStores(context, async (stores) => [
      { name: 'database', ok: true, detail: `${place} answers and is up to date` },
      ...(await examine(stores.database, await readLag(stores))),
    ]);
  } catch (error) {
    const remedy = context.settings.databaseUrl
      ? 'Is the server running, and are address, user and password right?'
      : 'Is the disk full, or the directory not ours? See postgres/server.log in it.';
    return [
      {
        name: 'database',
        ok: false,
        detail: error instanceof Error ? error.message : String(error),
        remedy,
      },
    ];
  }
}
