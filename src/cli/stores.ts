import { type OnLogLine, openStores, type Stores } from '../service/open.js';
import type { Context } from './context.js';

/** Opens the database for one command, and closes it whatever happens. */
export async function withStores<T>(
  context: Context,
  work: (stores: Stores) => Promise<T>,
  onLog?: OnLogLine,
): Promise<T> {
  const quiet = context.json || !process.stderr.isTTY;
  const onProgress = (step: string) => {
    if (!quiet) context.say(step);
  };
  const stores = await openStores(context.settings, onProgress, context.signal, onLog);
  try {
    return await work(stores);
  } finally {
    await stores.close();
  }
}
