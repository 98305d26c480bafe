import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '#src/store/database.js';
import { inspectEmbeddedPostgres } from '#src/store/embedded/inspect.js';
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';

const CHILD = fileURLToPath(new URL('embedded-child.mjs', import.meta.url));

type Message = { url?: string; started?: boolean; code?: string; message?: string };

/** Another process that has the server open. */
export type Child = Message & {
  readonly process: ChildProcess;
  close(): Promise<void>;
  kill(): Promise<void>;
};

export async function openInChild(
  dataDir: string,
  { durable = false, ...options }: ForkOptions & { durable?: boolean } = {},
): Promise<Child> {
  const child = fork(CHILD, [dataDir, durable ? 'durable' : 'quick'], options);
  const message = await new Promise<Message>((resolve, reject) => {
    child.once('message', (value) => resolve(value as Message));
    child.once('exit', (code) => reject(new Error(`the child ended early (${code})`)));
  });
  const ended = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
  const end = async (how: () => void) => {
    how();
    await ended;
  };
  return {
    ...message,
    process: child,
    close: () => end(() => child.send('close')),
    kill: () => end(() => child.kill('SIGKILL')),
  };
}

/** A process that is killed so many milliseconds after it began a step of opening. */
export async function dieWhileOpening(dataDir: string, step: string, after: number): Promise<void> {
  const child = fork(CHILD, [dataDir, 'quick', step, String(after)]);
  const [, signal] = await once(child, 'exit');
  if (signal !== 'SIGKILL') throw new Error(`expected it to be killed, not ${signal}`);
}

/** A new directory below which the server's user may go, also when we are root. */
export async function temporaryDirectory(mode = 0o711): Promise<string> {
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'legonet-test-embedded-'));
  await chmod(directory, mode);
  return directory;
}

/** Stops what a failed test left running, and removes the data wherever it is. */
export async function removeDataDir(dataDir: string): Promise<void> {
  const { state, home } = await inspectEmbeddedPostgres(dataDir);
  if (state === 'running') {
    const leases = join(String(home), 'leases');
    await rm(leases, { recursive: true, force: true });
    await (await openEmbeddedPostgres(dataDir)).close();
  }
  if (home !== undefined) await rm(home, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}

export async function query(url: string | undefined, sql: string): Promise<unknown[]> {
  const database = openDatabase(String(url), 1);
  try {
    return (await database.pool.query(sql)).rows;
  } finally {
    await database.close();
  }
}
