import type { EventLog } from '../../log/event-log.js';
import type { Finding } from '../../log/finding.js';
import { logOf, openDatabaseOf, unreachable } from '../../log/open.js';
import type { Settings } from '../../settings.js';
import type { Database } from '../../store/database.js';
import { readLag } from '../catch-up.js';
import { examineAuditLog } from './audit-log.js';
import { examineDatabase, migrationsFinding } from './database.js';
import { examineEngine } from './engine.js';
import { examineMachine } from './machine.js';
import { examinePipeline } from './pipeline.js';

export type DiagnoseOptions = {
  readonly environment: NodeJS.ProcessEnv;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onProgress?: (step: string) => void;
  readonly signal?: AbortSignal;
};

/**
 * Looks at everything that can be wrong without anybody having been told, and migrates nothing. What
 * cannot be looked at is a finding, too: it never throws.
 */
export async function diagnose(settings: Settings, options: DiagnoseOptions): Promise<Finding[]> {
  const machine = await examineMachine(settings, options.environment);
  const place = settings.databaseUrl ? 'DATABASE_URL' : settings.dataDir;
  const failed = (error: unknown): Finding => ({
    name: 'database',
    ok: false,
    detail: message(settings.databaseUrl ? unreachable(settings.databaseUrl, error) : error),
    remedy: settings.databaseUrl
      ? 'Is the server running, and are address, user and password right?'
      : 'Is the disk full, or the directory not ours? See postgres/server.log in it.',
  });
  try {
    const database = await openDatabaseOf(settings, options.onProgress, options.signal);
    try {
      const found = await examineDatabase(database.pool, place, options.now);
      const migrations = await migrationsFinding(database.pool);
      const rest = migrations.ok ? await examineStores(settings, database, options.signal) : [];
      return [...machine, ...found, migrations, ...rest];
    } finally {
      await database.close();
    }
  } catch (error) {
    return [...machine, failed(error)];
  }
}

async function examineStores(
  settings: Settings,
  database: Database,
  signal?: AbortSignal,
): Promise<Finding[]> {
  const log = await logOf(settings, database);
  try {
    const found = (await log.examine?.()) ?? [];
    const { lag, finding } = await look({ settings, database, log });
    const pipeline = await examinePipeline(database, lag, settings.erasureDeadlineMs);
    const engine = await examineEngine(settings, database, signal);
    const audit = await examineAuditLog(settings, database);
    return [...found, finding, ...pipeline, ...engine, ...audit];
  } finally {
    await log.close();
  }
}

type Stores = {
  readonly settings: Settings;
  readonly database: Database;
  readonly log: EventLog;
};

/** How far the projection is behind the log, if the log can be asked. */
async function look(stores: Stores): Promise<{ lag: bigint | null; finding: Finding }> {
  const name = 'lag';
  try {
    const lag = await readLag(stores);
    return { lag, finding: { name, ok: true, detail: `${lag} events are not projected yet` } };
  } catch (error) {
    const remedy = 'Bring the log back: see docs/operations.md.';
    return { lag: null, finding: { name, ok: false, detail: message(error), remedy } };
  }
}

const message = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
