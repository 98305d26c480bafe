import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LegonetError } from '../../errors.js';
import { sqlState } from '../database.js';
import { parts } from './home.js';
import { saysReady } from './postmaster.js';

const POLL_MS = 25;
const CONNECT_LIMIT_MS = 5000;
/** Recovery replays at most max_wal_size and what a checkpoint missed: minutes on a slow disk. */
const READY_LIMIT_MS = 900_000;
const SLOW_MS = 2000;
const CANNOT_CONNECT_NOW = '57P03';
const TOO_MANY_CONNECTIONS = '53300';

export type ReadyOptions = {
  readonly home: string;
  readonly pid: number;
  readonly url: string;
  readonly isAlive: () => Promise<boolean>;
  readonly signal: AbortSignal | undefined;
  readonly onSlow: () => void;
};

/** Waits until the server answers; false if it ended before. Throws on a wrong password and the like. */
export async function waitUntilReady(options: ReadyOptions): Promise<boolean> {
  const { home, pid, url, isAlive, signal, onSlow } = options;
  const begin = performance.now();
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    if (!(await isAlive())) return false;
    // Not before the server says so: until then, whoever answers on the port may be someone else.
    if ((await saysReady(home, pid)) && (await answers(url))) return true;
    const waited = performance.now() - begin;
    if (waited > SLOW_MS && !told) {
      onSlow();
      told = true;
    }
    if (waited > READY_LIMIT_MS) {
      throw new LegonetError(
        'postgres_not_ready',
        `the embedded PostgreSQL (process ${pid}) is still starting: run the command again; its log is ${parts(home).log}`,
        'retryable',
      );
    }
    await sleep(POLL_MS, undefined, signal && { signal });
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    application_name: 'legonet',
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    const state = sqlState(error);
    if (state === TOO_MANY_CONNECTIONS) return true;
    // Without an SQLSTATE the connection failed: the server is ending, or too busy to answer in time.
    if (state === undefined || state === CANNOT_CONNECT_NOW) return false;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}
