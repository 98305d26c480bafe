import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LegonetError } from '../../errors.js';
import { sqlState } from '../database.js';
import { parts } from './home.js';
import { errorCode } from './processes.js';

const POLL_MS = 50;
const CONNECT_LIMIT_MS = 5000;
/** Recovery replays at most max_wal_size and what a checkpoint missed: minutes on a slow disk. */
const READY_LIMIT_MS = 900_000;
const CANNOT_CONNECT_NOW = '57P03';

export type ReadyOptions = {
  readonly home: string;
  readonly url: string;
  readonly isAlive: () => Promise<boolean>;
  readonly signal: AbortSignal | undefined;
  readonly onRecovery: () => void;
};

/** Waits until the server answers; false if it ended before. Throws on a wrong password and the like. */
export async function waitUntilReady(options: ReadyOptions): Promise<boolean> {
  const { home, url, isAlive, signal, onRecovery } = options;
  const limit = performance.now() + READY_LIMIT_MS;
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    const answer = await ask(url);
    if (answer === 'ready') return true;
    if (!(await isAlive())) return false;
    if (answer === 'not yet' && !told) {
      onRecovery();
      told = true;
    }
    if (performance.now() > limit) {
      throw new LegonetError(
        'postgres_not_ready',
        `the embedded PostgreSQL is still starting: run the command again; its log is ${parts(home).log}`,
        'retryable',
      );
    }
    await sleep(POLL_MS, undefined, signal && { signal });
  }
}

async function ask(url: string): Promise<'ready' | 'not yet' | 'no answer'> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    application_name: 'legonet',
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return 'ready';
  } catch (error) {
    const state = sqlState(error);
    if (state === CANNOT_CONNECT_NOW) return 'not yet';
    // All connections taken: the server answers.
    if (state === '53300') return 'ready';
    if (state !== undefined) throw error;
    if (errorCode(error) !== undefined || /[Cc]onnection|timeout/.test(String(error))) {
      return 'no answer';
    }
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}
