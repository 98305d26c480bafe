import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LegonetError } from '../../errors.js';
import { findBinaries } from './binaries.js';
import {
  clusterVersion,
  createCluster,
  DATABASE,
  readPassword,
  removeHalfMade,
} from './cluster.js';
import { prepareHome, serverUser } from './home.js';
import { addLease, countLeases } from './leases.js';
import { withLock } from './lock.js';
import {
  findPostmaster,
  isPostmaster,
  type Postmaster,
  signalStop,
  stopPostmaster,
} from './postmaster.js';
import { errorCode } from './processes.js';
import { waitUntilReady } from './ready.js';
import type { ServerUser } from './run.js';
import { startPostmaster } from './start.js';

export type EmbeddedPostgres = {
  readonly url: string;
  /** Whether this call started the server, rather than joined it. */
  readonly started: boolean;
  /** Leaves the server; the last to leave stops it. */
  close(): Promise<void>;
};

export type EmbeddedOptions = {
  readonly signal?: AbortSignal;
  /** Told each step that may take a while, in words for a person. */
  readonly onProgress?: (step: string) => void;
  /** False only where the data may be lost: nothing is forced to disk. */
  readonly durable?: boolean;
  /** For tests: where the server shall listen. */
  readonly choosePort?: () => Promise<number>;
};

type Context = Omit<EmbeddedOptions, 'durable'> & {
  readonly home: string;
  readonly user: ServerUser | undefined;
  readonly durable: boolean;
  readonly onProgress: (step: string) => void;
};

/**
 * Joins the server of the data directory, starting (and creating) it if nobody has. Any number of
 * processes may use it at once.
 *
 * Throws `postgres_binary_missing`, `postgres_binary_unusable`, `postgres_user_missing`,
 * `postgres_failed_to_start`, `postgres_version`, `postgres_not_ready`, `postgres_password_missing`,
 * `data_directory_denied`, or the signal's reason.
 */
export async function openEmbeddedPostgres(
  dataDir: string,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  const path = resolve(dataDir);
  try {
    const user = await serverUser(path);
    const home = await prepareHome(path, user);
    const { durable = true, onProgress = () => {} } = options;
    return await join({ ...options, home, user, durable, onProgress });
  } catch (error) {
    throw explain(path, error);
  }
}

async function join(context: Context): Promise<EmbeddedPostgres> {
  const { home, signal, onProgress } = context;
  const work = async () => {
    const users = await countLeases(home);
    const { pid, port, started } = await ensureServer(context, users);
    const lease = await addLease(home);
    return { pid, started, lease, url: await urlOf(home, port) };
  };
  const onWait = (holder: number) =>
    onProgress(`waiting for process ${holder}, which starts or stops PostgreSQL`);
  const { url, started, pid, lease } = await withLock(home, work, { signal, onWait });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= leave(home, lease, pid);
    return closed;
  };
  return { url, started, close };
}

async function leave(home: string, lease: string, pid: number): Promise<void> {
  try {
    await withLock(home, async () => {
      await rm(lease, { force: true });
      if ((await countLeases(home)) > 0) return;
      const postmaster = await findPostmaster(home);
      if (postmaster) await stopPostmaster(home, postmaster.pid);
    });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    // The data directory was deleted under the server, which nobody can find any more.
    await stopPostmaster(home, pid);
  }
}

async function ensureServer(
  context: Context,
  users: number,
): Promise<Postmaster & { readonly started: boolean }> {
  for (;;) {
    const running = await findPostmaster(context.home);
    if (running && (await joinServer(context, running, users))) {
      return { ...running, started: false };
    }
    const fresh = await startServer(context);
    if (fresh) return { ...fresh, started: true };
  }
}

/** False if the server ended before it answered. */
async function joinServer(context: Context, server: Postmaster, users: number): Promise<boolean> {
  try {
    return await becomesReady(context, server);
  } catch (error) {
    // Whoever gives up waiting leaves nothing behind that no one uses.
    if (users === 0) await signalStop(context.home, server.pid);
    throw error;
  }
}

async function startServer(context: Context): Promise<Postmaster | undefined> {
  const { home, user, signal, onProgress } = context;
  await removeHalfMade(home);
  const binaries = await findBinaries(home, user);
  const version = await clusterVersion(home);
  if (version === undefined) {
    onProgress('creating the PostgreSQL database');
    await createCluster({ ...context, binaries, signal });
  } else if (version !== binaries.major) {
    throw wrongVersion(home, version, binaries.major);
  }
  onProgress('starting PostgreSQL');
  const ready = (server: Postmaster, isAlive: () => Promise<boolean>) =>
    becomesReady(context, server, isAlive);
  return startPostmaster({ ...context, binaries, signal, ready });
}

async function becomesReady(
  { home, signal, onProgress }: Context,
  { pid, port }: Postmaster,
  isAlive = () => isPostmaster(home, pid),
): Promise<boolean> {
  const onSlow = () => onProgress('waiting for PostgreSQL to recover');
  return waitUntilReady({ home, pid, url: await urlOf(home, port), isAlive, signal, onSlow });
}

async function urlOf(home: string, port: number): Promise<string> {
  return `postgres://${DATABASE}:${await readPassword(home)}@127.0.0.1:${port}/${DATABASE}`;
}

function wrongVersion(home: string, found: string, ours: string): LegonetError {
  return new LegonetError(
    'postgres_version',
    `${home} was made by PostgreSQL ${found}, and this Legonet brings ${ours}: use the Legonet that made it, or move the data to a server of your own (pg_dump) and set DATABASE_URL`,
    'stop',
  );
}

function explain(dataDir: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof LegonetError || (code !== 'EACCES' && code !== 'EPERM')) return error;
  return new LegonetError(
    'data_directory_denied',
    `no permission to use the data directory ${dataDir} (${(error as Error).message}): run as its owner, or set LEGONET_DATA_DIR`,
    'terminal',
    { cause: error },
  );
}
