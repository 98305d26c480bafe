import { type OnLogLine, openMigrated, openStores, type Stores } from '../log/open.js';
import type { Database } from '../store/database.js';
import type { Context } from './context.js';

/** Opens database and log for one command, and closes them whatever happens. */
export function withStores<T>(
  context: Context,
  work: (stores: Stores) => Promise<T>,
  onLog?: OnLogLine,
): Promise<T> {
  const { settings, signal } = context;
  return using(() => openStores(settings, progressOf(context), signal, onLog), work);
}

/** For a command that needs the database alone: it works without Kafka. */
export function withDatabase<T>(
  context: Context,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const { settings, signal } = context;
  return using(() => openMigrated(settings, progressOf(context), signal), work);
}

function progressOf(context: Context): (step: string) => void {
  const quiet = context.json || !process.stderr.isTTY;
  return quiet ? () => {} : context.say;
}

async function using<R extends { close(): Promise<void> }, T>(
  open: () => Promise<R>,
  work: (resource: R) => Promise<T>,
): Promise<T> {
  const resource = await open();
  try {
    return await work(resource);
  } finally {
    await resource.close();
  }
}
