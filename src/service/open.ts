import { EmbeddedLog } from '../log/embedded.js';
import type { EventLog } from '../log/event-log.js';
import type { Settings } from '../settings.js';
import { type Database, openDatabase } from '../store/database.js';
import { openEmbeddedPostgres } from '../store/embedded/open.js';
import { migrate } from '../store/migrate.js';

/** The database and the log on it. */
export type Stores = {
  readonly settings: Settings;
  readonly database: Database;
  readonly log: EventLog;
  close(): Promise<void>;
};

/** Opens the database that the settings name, or the data directory's own, up to date. */
export async function openStores(
  settings: Settings,
  onProgress: (step: string) => void = () => {},
): Promise<Stores> {
  const server = settings.databaseUrl
    ? null
    : await openEmbeddedPostgres(settings.dataDir, { onProgress });
  const database = openDatabase(settings.databaseUrl ?? server?.url ?? '');
  const log = new EmbeddedLog(database);
  const close = async () => {
    await log.close();
    await database.close();
    await server?.close();
  };
  try {
    await migrate(database);
  } catch (error) {
    await close();
    throw error;
  }
  return { settings, database, log, close };
}
