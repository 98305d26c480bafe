import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '#src/store/database.js';
import { inspectEmbeddedPostgres } from '#src/store/embedded/inspect.js';
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';
import { migrate } from '#src/store/migrate.js';
import { removeDataDir, temporaryDirectory } from './embedded.js';

/** A server of the test's own: roles are the whole server's, and another test's must not be met. */
export async function openTestServer(): Promise<{ url: string; close(): Promise<void> }> {
  const directory = await temporaryDirectory();
  const server = await openEmbeddedPostgres(directory, { durable: false });
  const close = async () => {
    await server.close();
    await removeDataDir(directory);
  };
  return { url: server.url, close };
}

/** A server that comes back where it was, with every commit that it has confirmed. */
export type FailingServer = {
  /** Of a database with all migrations applied. */
  readonly url: string;
  /** Ends it without a shutdown, SIGQUIT as `pg_ctl stop -m immediate` does, and starts it again. */
  restart(signal: 'SIGQUIT' | 'SIGKILL'): Promise<void>;
  close(): Promise<void>;
};

export async function openFailingServer(): Promise<FailingServer> {
  const directory = await temporaryDirectory();
  const opened = [await openEmbeddedPostgres(directory)];
  const url = opened[0]?.url ?? '';
  const database = openDatabase(url, 1);
  await migrate(database);
  await database.close();
  return {
    url,
    restart: async (signal) => {
      const { pid } = await inspectEmbeddedPostgres(directory);
      if (pid === undefined) throw new Error('expected the server to run');
      process.kill(pid, signal);
      while ((await inspectEmbeddedPostgres(directory)).pid === pid) await sleep(10);
      const choosePort = async () => Number(new URL(url).port);
      const again = await openEmbeddedPostgres(directory, { choosePort });
      opened.push(again);
      if (!again.started || again.url !== url) throw new Error('expected it to be started there');
    },
    close: async () => {
      for (const one of opened) await one.close();
      await removeDataDir(directory);
    },
  };
}
