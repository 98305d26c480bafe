import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, isRunning, type ProcessIdentity, thisProcess } from './processes.js';

/** Says that a process uses the server. Returns the file to remove when it no longer does. */
export async function addLease(home: string): Promise<string> {
  const directory = join(home, 'leases');
  await mkdir(directory, { recursive: true });
  const name = `${process.pid}-${randomBytes(6).toString('hex')}`;
  const path = join(directory, name);
  await writeFile(`${path}.tmp`, JSON.stringify(await thisProcess()), { mode: 0o644 });
  await rename(`${path}.tmp`, path);
  return path;
}

/** Leases of processes that still run, and those left by processes that were killed. */
export async function readLeases(home: string): Promise<{ live: string[]; stale: string[] }> {
  const live: string[] = [];
  const stale: string[] = [];
  for (const name of await list(join(home, 'leases'))) {
    const path = join(home, 'leases', name);
    const owner = await readOwner(path);
    (owner && (await isRunning(owner)) ? live : stale).push(path);
  }
  return { live, stale };
}

/** How many live leases there are, once the stale ones are removed. Call it with the lock held. */
export async function countLeases(home: string): Promise<number> {
  const { live, stale } = await readLeases(home);
  for (const path of stale) await rm(path, { force: true });
  return live.length;
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readOwner(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
