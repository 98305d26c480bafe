import { LegonetError } from '../errors.js';
import type { Settings } from '../settings.js';
import { type Database, isRetryable, openDatabase, sqlState } from '../store/database.js';
import { openEmbeddedPostgres } from '../store/embedded/open.js';
import { migrate } from '../store/migrate.js';
import { EmbeddedLog } from './embedded.js';
import type { EventLog } from './event-log.js';
import type { KafkaLogLine } from './kafka/connection.js';

/** The database and the log on it. */
export type Stores = {
  readonly settings: Settings;
  readonly database: Database;
  readonly log: EventLog;
  close(): Promise<void>;
};

function unusable(dataDir: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!['EEXIST', 'ENOTDIR', 'EROFS', 'ENOSPC'].includes(code)) return error;
  return new LegonetError(
    'data_directory_unusable',
    `cannot use the data directory ${dataDir} (${(error as Error).message}): set LEGONET_DATA_DIR to a directory of your own with space on its disk`,
    'stop',
    { cause: error },
  );
}

/** What went wrong between us and the server, without the password. */
export function unreachable(url: string, error: unknown): unknown {
  const state = sqlState(error);
  const refused = state !== undefined && /^(28|3D|42501)/.test(state);
  if (error instanceof LegonetError || (!refused && !isRetryable(error))) return error;
  const { hostname, port, pathname } = new URL(url);
  const place = `${hostname}:${port || 5432}${pathname}`;
  const message = error instanceof Error && error.message ? error.message : String(error);
  return new LegonetError(
    'database_unreachable',
    `cannot use the database of DATABASE_URL at ${place} (${message}): is the server running, and are address, user and password right?`,
    refused ? 'terminal' : 'retryable',
    { cause: error },
  );
}

/** The database that the settings name, or the data directory's own, as it is. */
export async function openDatabaseOf(
  settings: Settings,
  onProgress: (step: string) => void = () => {},
  signal?: AbortSignal,
): Promise<Database> {
  const server = settings.databaseUrl
    ? null
    : await openEmbeddedPostgres(settings.dataDir, { onProgress, ...(signal && { signal }) }).catch(
        (error) => {
          throw unusable(settings.dataDir, error);
        },
      );
  const database = openDatabase(settings.databaseUrl ?? server?.url ?? '');
  const close = async () => {
    await database.close();
    await server?.close();
  };
  return { ...database, close };
}

/** Told what a log's own client has to say: nothing of any record. */
export type OnLogLine = (line: KafkaLogLine) => void;

/** The log that the settings name; nothing of it is looked at yet. */
export async function logOf(
  settings: Settings,
  database: Database,
  onLog: OnLogLine = () => {},
): Promise<EventLog> {
  const { kafka, topics, erasureDeadlineMs } = settings;
  if (!kafka) return new EmbeddedLog(database);
  // Loaded where it is used: it takes its time.
  const { KafkaLog } = await import('./kafka/log.js');
  return new KafkaLog({ kafka, topics, erasureDeadlineMs, onLog });
}

/** Opens the database, up to date. */
export async function openMigrated(
  settings: Settings,
  onProgress?: (step: string) => void,
  signal?: AbortSignal,
): Promise<Database> {
  const database = await openDatabaseOf(settings, onProgress, signal);
  try {
    await migrate(database).catch((error) => {
      throw settings.databaseUrl ? unreachable(settings.databaseUrl, error) : error;
    });
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens database and log, up to date and ready for work. */
export async function openStores(
  settings: Settings,
  onProgress?: (step: string) => void,
  signal?: AbortSignal,
  onLog?: OnLogLine,
): Promise<Stores> {
  const database = await openMigrated(settings, onProgress, signal);
  const log = await logOf(settings, database, onLog);
  const close = async () => {
    await log.close();
    await database.close();
  };
  try {
    await log.prepare?.();
    return { settings, database, log, close };
  } catch (error) {
    await close();
    throw error;
  }
}
