import { randomBytes } from 'node:crypto';
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { LegonetError } from '../../errors.js';
import type { Binaries } from './binaries.js';
import { parts } from './home.js';
import { errorCode } from './processes.js';
import { run, type ServerUser } from './run.js';

/** Name of both the database and its owner. */
export const DATABASE = 'legonet';
const HALF_MADE = 'data.new-';
const SETTINGS = 'legonet.conf';

export type ClusterOptions = {
  readonly home: string;
  readonly user: ServerUser | undefined;
  readonly binaries: Binaries;
  readonly durable: boolean;
  readonly signal: AbortSignal | undefined;
};

/** Major version of the cluster's data, or undefined if there is no cluster. */
export async function clusterVersion(home: string): Promise<string | undefined> {
  try {
    return (await readFile(join(parts(home).data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes the cluster with its database in one step: it is built beside its place and renamed, so that
 * one that is there is whole. Call it with the lock held.
 */
export async function createCluster(options: ClusterOptions): Promise<void> {
  const { home, user, binaries, durable, signal } = options;
  const made = join(home, `${HALF_MADE}${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(made, { mode: 0o700 });
    await give(made, user);
    const password = await makePassword(home, user);
    const flags = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--no-instructions'];
    if (!durable) flags.push('--no-sync');
    await must(
      run(binaries.initdb, ['-D', made, '-U', DATABASE, `--pwfile=${password}`, ...flags], {
        user,
        signal,
      }),
    );
    await appendFile(join(made, 'postgresql.conf'), `\ninclude = '${SETTINGS}'\n`);
    await writeSettings(made, user, durable);
    const single = ['--single', '-c', 'exit_on_error=on', '-D', made, 'postgres'];
    const input = `CREATE DATABASE ${DATABASE};\n`;
    await must(run(binaries.postgres, single, { user, signal, input }));
    await rename(made, parts(home).data);
    if (durable) await syncDirectory(home);
  } catch (error) {
    await removeHalfMade(home);
    throw error;
  }
}

/** Removes what a process left that was killed while it made a cluster. Call it with the lock held. */
export async function removeHalfMade(home: string): Promise<void> {
  const names = (await readdir(home)).filter((name) => name.startsWith(HALF_MADE));
  for (const name of names) {
    // An initdb that outlived its parent may still write there for a moment; the next start retries.
    await rm(join(home, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

/** Written anew before each start, so that a new version of Legonet can change them. */
export async function writeSettings(
  data: string,
  user: ServerUser | undefined,
  durable: boolean,
): Promise<void> {
  const onOff = durable ? 'on' : 'off';
  const settings = [
    '# Written by Legonet at each start. Your own settings belong at the end of postgresql.conf.',
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    'max_connections = 100',
    'shared_buffers = 256MB',
    'max_wal_size = 1GB',
    'logging_collector = off',
    "log_line_prefix = '%m [%p] '",
    "log_timezone = 'UTC'",
    "timezone = 'UTC'",
    `fsync = ${onOff}`,
    `synchronous_commit = ${onOff}`,
    `full_page_writes = ${onOff}`,
  ];
  const path = join(data, SETTINGS);
  await writeFile(path, `${settings.join('\n')}\n`, { mode: 0o600 });
  await give(path, user);
}

export async function readPassword(home: string): Promise<string> {
  const { password } = parts(home);
  try {
    return (await readFile(password, 'utf8')).trim();
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause;
    throw new LegonetError(
      'postgres_password_missing',
      `${password}, the password of the embedded PostgreSQL, is gone: restore the file`,
      'stop',
      { cause },
    );
  }
}

/** Returns the path of a file that only its owner reads. */
async function makePassword(home: string, user: ServerUser | undefined): Promise<string> {
  const { password } = parts(home);
  await writeFile(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  await chmod(password, 0o600);
  await give(password, user);
  return password;
}

async function give(path: string, user: ServerUser | undefined): Promise<void> {
  if (user) await chown(path, user.uid, user.gid);
}

async function must(outcome: ReturnType<typeof run>): Promise<void> {
  const { ok, output } = await outcome;
  if (ok) return;
  throw new LegonetError(
    'postgres_failed_to_start',
    `could not create the embedded PostgreSQL database:\n${output.trim()}`,
    'stop',
  );
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
