import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LegonetError } from '../../errors.js';
import { parts } from './home.js';
import { commandLine, errorCode, exists } from './processes.js';

const POLL_MS = 50;
/** A shutdown writes what is in memory to disk: seconds, minutes on a bad day. */
const STOP_LIMIT_MS = 300_000;
/** A pid that no system gives out. */
const NOBODY = 2 ** 31 - 1;

export type Postmaster = { readonly pid: number; readonly port: number };

/** What postmaster.pid says; `status` is starting, stopping, ready or standby. */
type PidFile = Postmaster & { readonly status: string };

/** The server of this directory if it runs, whoever started it. */
export async function findPostmaster(home: string): Promise<Postmaster | undefined> {
  const found = await readPidFile(home);
  if (!found || !(await isPostmaster(home, found.pid))) return undefined;
  return { pid: found.pid, port: found.port };
}

/** Whether that process, the server of this directory, says that it takes connections. */
export async function saysReady(home: string, pid: number): Promise<boolean> {
  const found = await readPidFile(home);
  return found?.pid === pid && found.status === 'ready';
}

/** Whether that process is the server of this directory: by its arguments, since pids are used again. */
export async function isPostmaster(home: string, pid: number): Promise<boolean> {
  if (!exists(pid)) return false;
  const line = await commandLine(pid);
  return line === undefined ? exists(pid) : line.includes(` -D ${parts(home).data} `);
}

/**
 * PostgreSQL does not start while the pid in a leftover postmaster.pid is in use, be it by a stranger;
 * in a restarted container that is common. The rest of the file stays: by it PostgreSQL knows whether
 * processes of the dead server still use its memory. Call it with the lock held.
 */
export async function disownPidFile(home: string): Promise<void> {
  const found = await readPidFile(home);
  // The file of a server that runs is its life line: without it the server ends within a minute.
  if (!found || !exists(found.pid) || (await isPostmaster(home, found.pid))) return;
  const path = pidFile(home);
  const [, ...rest] = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, [NOBODY, ...rest].join('\n'));
}

/** Ends the server as `pg_ctl stop -m fast` does, and waits until it is gone. */
export async function stopPostmaster(home: string, pid: number): Promise<void> {
  const limit = performance.now() + STOP_LIMIT_MS;
  await signalStop(home, pid);
  while (await isPostmaster(home, pid)) {
    if (performance.now() > limit) {
      throw new LegonetError(
        'postgres_still_stopping',
        `the embedded PostgreSQL (process ${pid}) is still shutting down; its log is ${parts(home).log}`,
        'retryable',
      );
    }
    await sleep(POLL_MS);
  }
}

/** Asks the server to end: sessions are cut off, transactions rolled back, data written. */
export async function signalStop(home: string, pid: number): Promise<void> {
  if (!(await isPostmaster(home, pid))) return;
  try {
    process.kill(pid, 'SIGINT');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function readPidFile(home: string): Promise<PidFile | undefined> {
  try {
    // The lines are those of LOCK_FILE_LINE_* in PostgreSQL's miscadmin.h.
    const lines = (await readFile(pidFile(home), 'utf8')).split('\n');
    const [pid, port] = [Number(lines[0]), Number(lines[3])];
    return pid > 0 && port > 0 ? { pid, port, status: lines[7]?.trim() ?? '' } : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function pidFile(home: string): string {
  return join(parts(home).data, 'postmaster.pid');
}
