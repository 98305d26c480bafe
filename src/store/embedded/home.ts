import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readlink, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { LegonetError } from '../../errors.js';
import { errorCode } from './processes.js';
import { run, type ServerUser } from './run.js';

/** Where root keeps what the server's user must reach: see `prepareHome`. */
export const SHARED = '/var/lib/legonet';
const USERS = ['postgres', '_postgres', 'nobody'];
/** Others may pass through to a name they know, and list nothing. */
const PASSABLE = 0o711;

export const isRoot = process.getuid?.() === 0;

/** The parts of `<data directory>/postgres`. */
export function parts(home: string) {
  return {
    data: join(home, 'data'),
    password: join(home, 'password'),
    log: join(home, 'server.log'),
  };
}

/** The real path of the server's directory, or undefined if there is none yet. Changes nothing. */
export async function findHome(dataDir: string): Promise<string | undefined> {
  try {
    return await realpath(join(dataDir, 'postgres'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The real path of the server's directory, made if need be: `<data directory>/postgres`.
 *
 * PostgreSQL refuses to run as root, so root runs it as another user. If that user may not enter the
 * data directory (below /root, say), `postgres` is a symbolic link to a directory in /var/lib/legonet.
 */
export async function prepareHome(dataDir: string, user: ServerUser | undefined): Promise<string> {
  const path = join(dataDir, 'postgres');
  const first = await mkdir(dataDir, { recursive: true });
  if (first !== undefined) await chmod(dataDir, isRoot ? PASSABLE : 0o700);
  if (user && !(await isThere(path)) && !(await canEnter(dataDir, user))) {
    await linkElsewhere(path);
  }
  // The link comes first: a directory that nothing leads to would never be found again.
  const target = (await isLink(path)) ? resolve(dirname(path), await readlink(path)) : path;
  if (target !== path) await makePassable(dirname(target));
  await makePassable(target);
  return realpath(target);
}

/** The user to run the server as: the owner of the data if there is any. Undefined: ourselves. */
export async function serverUser(dataDir: string): Promise<ServerUser | undefined> {
  if (!isRoot) return undefined;
  const owner = await stat(join(dataDir, 'postgres', 'data')).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of USERS) {
    const [uid, gid] = await Promise.all([id('-u', name), id('-g', name)]);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new LegonetError(
    'postgres_user_missing',
    `PostgreSQL refuses to run as root and there is no user ${USERS.join(', ')} to run it as: add one, run Legonet as an ordinary user, or set DATABASE_URL`,
  );
}

/** Whether the user may enter the directory, as the system itself sees it. */
export async function canEnter(directory: string, user: ServerUser): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { user })).ok;
}

async function linkElsewhere(path: string): Promise<void> {
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 12);
  // Not the path alone: a data directory that was deleted and made anew must not find the old data.
  const target = join(SHARED, `${hash}-${randomBytes(4).toString('hex')}`);
  try {
    await symlink(target, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

async function makePassable(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first !== undefined) await chmod(directory, isRoot ? PASSABLE : 0o700);
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() ?? false;
}

async function id(flag: string, name: string): Promise<number | undefined> {
  const { ok, output } = await run('id', [flag, name], { user: undefined });
  const number = Number(output.trim());
  return ok && Number.isSafeInteger(number) ? number : undefined;
}
