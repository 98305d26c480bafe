import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LINUX = process.platform === 'linux';

/** One run of one process. A pid alone is not enough: pids are used again. */
export type ProcessIdentity = { readonly pid: number; readonly started: string };

export async function thisProcess(): Promise<ProcessIdentity> {
  return { pid: process.pid, started: (await startOf(process.pid)) ?? '' };
}

/**
 * Whether that very process still runs. One that may exist but cannot be looked into (another user's
 * under hidepid) counts as running: the harm of waiting is less than that of a second server.
 */
export async function isRunning({ pid, started }: ProcessIdentity): Promise<boolean> {
  if (!exists(pid)) return false;
  const now = await startOf(pid);
  return now === undefined || started === '' || now === started;
}

/** Whether there is a process of that pid that we may or may not signal. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** The arguments of a process joined by spaces: '' for a zombie, undefined if they cannot be read. */
export async function commandLine(pid: number): Promise<string | undefined> {
  try {
    if (LINUX) return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    const [state = '', command = ''] = await Promise.all([ps(pid, 'stat='), ps(pid, 'command=')]);
    return state.startsWith('Z') ? '' : `${command} `;
  } catch {
    return undefined;
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** When a process started, in a form that differs after a reboot. Undefined if it cannot be known. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    if (!LINUX) {
      const state = await ps(pid, 'stat=');
      return state.startsWith('Z') ? 'zombie' : await ps(pid, 'lstart=');
    }
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc_pid_stat(5): the name, in parentheses, may hold anything; state is field 3, starttime 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'zombie';
    return `${await bootId()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}

async function ps(pid: number, format: string): Promise<string> {
  // lstart is written in the reader's zone and language: all readers must agree on them.
  const env = { PATH: process.env.PATH ?? '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' };
  const { stdout } = await run('ps', ['-ww', '-o', format, '-p', String(pid)], { env });
  return stdout.trim();
}
