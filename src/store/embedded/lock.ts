import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, isRunning, type ProcessIdentity, thisProcess } from './processes.js';

const POLL_MS = 50;
const NAME = /^lock\.(\d+)$/;

type Held = { readonly generation: number; readonly owner: ProcessIdentity | null };

export type LockOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Called once for each holder that is waited for. */
  readonly onWait?: (pid: number) => void;
};

/**
 * Runs `work` while no other process does in this directory. A holder that was killed holds nothing.
 *
 * The lock is the file of the greatest number, lock.N. To take it is to create lock.N+1, which only
 * one can do (link never replaces), once N was given back or its holder is gone. The greatest file is
 * never removed, so nobody can mistake a lock just taken for the dead one they saw before.
 */
export async function withLock<T>(
  directory: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const generation = await acquire(directory, options);
  try {
    return await work();
  } finally {
    await release(directory, generation);
  }
}

async function acquire(directory: string, { signal, onWait }: LockOptions): Promise<number> {
  const owner = await thisProcess();
  let waited: number | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const held = await latest(directory);
    if (held.owner && (await isRunning(held.owner))) {
      if (held.owner.pid !== waited) onWait?.(held.owner.pid);
      waited = held.owner.pid;
      await sleep(POLL_MS, undefined, signal && { signal });
      continue;
    }
    const mine = held.generation + 1;
    if (!(await create(directory, mine, owner))) continue;
    // Created from an old listing, the name may be one that was used and cleaned up since.
    const { generation } = await latest(directory);
    if (generation === mine) {
      await removeBefore(directory, mine - 1);
      return mine;
    }
    await rm(file(directory, mine), { force: true });
  }
}

async function release(directory: string, generation: number): Promise<void> {
  try {
    const free = await temporary(directory, null);
    await rename(free, file(directory, generation));
  } catch (error) {
    // The directory was deleted, and the lock with it.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function latest(directory: string): Promise<Held> {
  const generation = Math.max(0, ...(await generations(directory)));
  if (generation === 0) return { generation, owner: null };
  try {
    const owner = JSON.parse(await readFile(file(directory, generation), 'utf8'));
    return { generation, owner };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return latest(directory);
    // Cut short by a power failure, which its writer did not outlive.
    if (error instanceof SyntaxError) return { generation, owner: null };
    throw error;
  }
}

async function create(
  directory: string,
  generation: number,
  owner: ProcessIdentity,
): Promise<boolean> {
  const written = await temporary(directory, owner);
  try {
    await link(written, file(directory, generation));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(written, { force: true });
  }
}

/** A file that holds all of the content before it gets a name that others read. */
async function temporary(directory: string, owner: ProcessIdentity | null): Promise<string> {
  const path = join(directory, `lock.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
  await writeFile(path, JSON.stringify(owner), { flag: 'wx', mode: 0o644 });
  return path;
}

async function removeBefore(directory: string, generation: number): Promise<void> {
  for (const old of await generations(directory)) {
    if (old < generation) await rm(file(directory, old), { force: true });
  }
}

async function generations(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => {
    const number = NAME.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function file(directory: string, generation: number): string {
  return join(directory, `lock.${generation}`);
}
