import { type ChildProcess, spawn } from 'node:child_process';
import { open, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LegonetError } from '../../errors.js';
import type { Binaries } from './binaries.js';
import { writeSettings } from './cluster.js';
import { parts } from './home.js';
import { disownPidFile, findPostmaster } from './postmaster.js';
import { type ServerUser, spawnOptions } from './run.js';

const ATTEMPTS = 8;
const LOG_LIMIT_BYTES = 4 << 20;
const TAIL_LINES = 20;
/** How long processes of a server that was killed may take to notice. */
const LEFTOVER_LIMIT_MS = 60_000;
const LEFTOVER_POLL_MS = 100;
const LEFTOVER = /shared memory .*still in use|lock file .*already exists/;

export type StartOptions = {
  readonly home: string;
  readonly user: ServerUser | undefined;
  readonly binaries: Binaries;
  readonly durable: boolean;
  readonly signal: AbortSignal | undefined;
  /** Returns true when the server answers, false once it is not alive. */
  readonly ready: (server: Started, isAlive: () => Promise<boolean>) => Promise<boolean>;
  readonly choosePort?: () => Promise<number>;
};

export type Started = { readonly pid: number; readonly port: number };

/**
 * Starts the server and waits until it answers. Call it with the lock held. Returns undefined if a
 * server turns out to run: one whose starter was killed before the server wrote its postmaster.pid.
 * Throws `postgres_failed_to_start` with the end of its log.
 */
export async function startPostmaster(options: StartOptions): Promise<Started | undefined> {
  const { home, user, durable, signal, choosePort = freePort } = options;
  const limit = performance.now() + LEFTOVER_LIMIT_MS;
  let attempt = 1;
  for (;;) {
    await writeSettings(parts(home).data, user, durable);
    await disownPidFile(home);
    const port = await choosePort();
    const outcome = await tryPort(options, port);
    if ('pid' in outcome) return outcome;
    if (await findPostmaster(home)) return undefined;
    if (/Address already in use/.test(outcome.log) && attempt < ATTEMPTS) {
      attempt++;
    } else if (LEFTOVER.test(outcome.log) && performance.now() < limit) {
      await sleep(LEFTOVER_POLL_MS, undefined, signal && { signal });
    } else {
      throw failedToStart(home, outcome.log);
    }
  }
}

export function failedToStart(home: string, log: string): LegonetError {
  const tail = log.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  return new LegonetError(
    'postgres_failed_to_start',
    `the embedded PostgreSQL did not start; the end of its log, ${parts(home).log}:\n${tail}`,
    'stop',
  );
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function tryPort(
  options: StartOptions,
  port: number,
): Promise<Started | { readonly log: string }> {
  const { home, user, binaries } = options;
  await rotateLog(parts(home).log);
  const log = await open(parts(home).log, 'a', 0o600);
  try {
    const { size } = await log.stat();
    const args = ['-D', parts(home).data, '-c', `port=${port}`];
    // A session of its own: Ctrl-C at our terminal is ours to handle, and must not reach the server.
    const child = spawn(binaries.postgres, args, {
      ...spawnOptions(user),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    child.unref();
    const ending = whenEnded(child);
    if (child.pid !== undefined && (await isReady(options, child, child.pid, port, ending))) {
      return { pid: child.pid, port };
    }
    const reason = await ending.promise;
    return { log: `${await readFrom(parts(home).log, size)}${reason}` };
  } finally {
    await log.close();
  }
}

async function isReady(
  { ready }: StartOptions,
  child: ChildProcess,
  pid: number,
  port: number,
  ending: Ending,
): Promise<boolean> {
  try {
    return await ready({ pid, port }, async () => !ending.done);
  } catch (error) {
    // Whoever gives up waiting leaves nothing behind that no one uses.
    child.kill('SIGINT');
    await ending.promise;
    throw error;
  }
}

type Ending = { done: boolean; readonly promise: Promise<string> };

function whenEnded(child: ChildProcess): Ending {
  const promise = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(`(the server ended: ${signal ?? `exit code ${code}`})`),
    );
  });
  const ending: Ending = { done: false, promise };
  promise.then(() => {
    ending.done = true;
  });
  return ending;
}

async function readFrom(path: string, position: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.max(0, size - position));
    await file.read(buffer, 0, buffer.length, position);
    return buffer.toString();
  } finally {
    await file.close();
  }
}

/** Keeps the log and one before it. */
async function rotateLog(path: string): Promise<void> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size < LOG_LIMIT_BYTES) return;
  await rm(`${path}.old`, { force: true });
  await rename(path, `${path}.old`);
}
