import pg from 'pg';
import { LegonetError } from '../errors.js';

/** Anything that runs a query: the pool, or the one connection of a transaction. */
export type Queryable = Pick<pg.Pool | pg.PoolClient, 'query'>;

/** A pool of connections to one database. */
export type Database = {
  readonly url: string;
  readonly pool: pg.Pool;
  close(): Promise<void>;
};

/** int8 columns are positions and times: bigint, never a rounded number. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? BigInt
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/** How long a query may run, and how long it may wait for a connection. */
export type QueryLimits = { readonly queryMs: number; readonly waitMs: number };

export function openDatabase(url: string, connections = 8, limits?: QueryLimits): Database {
  const pool = new pg.Pool({
    ...(limits && {
      statement_timeout: limits.queryMs,
      connectionTimeoutMillis: limits.waitMs,
    }),
    connectionString: url,
    max: connections,
    types,
    application_name: 'legonet',
    allowExitOnIdle: true,
    onConnect: async (client) => {
      await client.query(OWN_PLANS);
    },
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => {});
  // Nor may one that is out and asked nothing, as a build's while workers compute: its next query says so.
  pool.on('connect', (client) => client.on('error', () => {}));
  return { url, pool, close: () => pool.end() };
}

/**
 * A query that a connection parses once, and plans for its values each time (`OWN_PLANS`); one without any would be
 * planned once for ever. `text` must be a constant, and name its columns. (Results stay in text form: node-postgres
 * reads binary ones as UTF-8 first, which loses bytes.)
 */
export function queryPrepared<Row extends pg.QueryResultRow>(
  client: Queryable,
  text: string,
  values: unknown[],
): Promise<pg.QueryResult<Row>> {
  const name = names.get(text) ?? `legonet_${names.size}`;
  names.set(text, name);
  return client.query<Row>({ name, text, values });
}

/** Of prepared statements, by text. */
const names = new Map<string, string>();

/** A plan made when a table was empty must not serve when it has a million rows. */
const OWN_PLANS = 'SET plan_cache_mode = force_custom_plan';

/** A single connection outside any pool, for LISTEN, advisory locks and worker threads. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, types, application_name: 'legonet' });
  client.on('error', () => {});
  await client.connect();
  await client.query(OWN_PLANS);
  return client;
}

/**
 * Runs `work` in one transaction; any error rolls it back and is thrown on. `opening` is what follows
 * BEGIN: its mode, and statements that go with it in one round trip.
 */
export async function transaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  opening = 'ISOLATION LEVEL READ COMMITTED',
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`BEGIN ${opening}`);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** SQLSTATE of an error from Postgres, or undefined. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * Whether trying again can help: connection trouble, serialisation failures, deadlocks, shutdown.
 * Terminal errors of ours and errors of logic are not retried.
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof LegonetError) return error.retry === 'retryable';
  const state = sqlState(error);
  if (state !== undefined) return /^(08|40|53|57|58)/.test(state) || state === '55P03';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^E(CONN|PIPE|TIMEDOUT|HOST)/.test(code) || /[Cc]onnection/.test(String(error));
}
