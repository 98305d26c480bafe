import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { BuiltAdapter } from '../model/build.js';
import { int4Array } from '../store/arrays.js';
import { connect, type Database, type Queryable, transaction } from '../store/database.js';
import type { ToBuild } from './plan.js';

/** A build that several processes share. */
export type SharedBuild = {
  readonly id: string;
  /** Exported by the leader, for as long as it lives. */
  readonly snapshot: string;
  /** Positions as decimal strings. */
  readonly cut: Readonly<Record<string, string>>;
};

/** What a helper handed in; the weights themselves stay in the database. */
export type HandedIn = Pick<BuiltAdapter, 'members' | 'digest'>;

/** Shares a build's dirty adapters, and wakes the helpers. Whatever was shared before is over. */
export async function openBuild(
  { pool }: Database,
  snapshot: string,
  cut: Readonly<Record<string, string>>,
  dirty: readonly ToBuild[],
): Promise<SharedBuild> {
  const id = randomUUID();
  await transaction(pool, async (client) => {
    await client.query('DELETE FROM shared_builds');
    await clearTasks(client);
    await client.query('INSERT INTO shared_builds (build, snapshot, cut) VALUES ($1, $2, $3)', [
      id,
      snapshot,
      JSON.stringify(cut),
    ]);
    await client.query(
      `INSERT INTO build_tasks (build, rank, adapter, built_in, kept)
       SELECT $1, ordinality, adapter, built_in, kept
       FROM unnest($2::int[], $3::int[], $4::bool[]) WITH ORDINALITY AS t(adapter, built_in, kept)`,
      [
        id,
        int4Array(dirty.map(({ adapter }) => adapter)),
        int4Array(dirty.map(({ builtIn }) => builtIn)),
        dirty.map(({ kept }) => kept),
      ],
    );
    await client.query(`SELECT pg_notify('legonet_build', '')`);
  });
  return { id, snapshot, cut };
}

/** The build that is shared now, if there is one. */
export async function readBuild({ pool }: Database): Promise<SharedBuild | null> {
  const { rows } = await pool.query<SharedBuild>(
    'SELECT build AS id, snapshot, cut FROM shared_builds LIMIT 1',
  );
  return rows[0] ?? null;
}

/** Ends a build, its results included. */
export async function endBuild({ pool }: Database, id: string): Promise<void> {
  await pool.query('DELETE FROM shared_builds WHERE build = $1', [id]);
  await clearTasks(pool);
}

/** Ends what a leader that died has left. For its successor. */
export async function endOldBuilds({ pool }: Database): Promise<void> {
  await pool.query('DELETE FROM shared_builds');
  await clearTasks(pool);
}

/** Removes the tasks of builds that are over, but for those that somebody still holds. */
export async function clearTasks(client: Queryable): Promise<void> {
  await client.query(
    `DELETE FROM build_tasks WHERE (build, rank) IN
       (SELECT build, rank FROM build_tasks t
        WHERE NOT EXISTS (SELECT FROM shared_builds b WHERE b.build = t.build)
        FOR UPDATE SKIP LOCKED)`,
  );
}

/** Hands an adapter in. Fails with SQLSTATE 23503 when the build is over. */
export async function handIn(
  { pool }: Database,
  { id }: SharedBuild,
  adapter: number,
  { members, digest, bytes }: BuiltAdapter,
  builder: number,
): Promise<void> {
  await pool.query(
    `INSERT INTO build_results (build, adapter, members, digest, bytes, builder)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [id, adapter, members, digest, bytes, builder],
  );
}

/** What helpers have handed in, by adapter. */
export async function readResults(
  { pool }: Database,
  { id }: SharedBuild,
): Promise<Map<number, HandedIn>> {
  const { rows } = await pool.query<HandedIn & { adapter: number }>(
    'SELECT adapter, members, digest FROM build_results WHERE build = $1',
    [id],
  );
  return new Map(rows.map(({ adapter, ...result }) => [adapter, result]));
}

type Task = ToBuild & { readonly rank: number };

/**
 * The tasks that this process has taken: rows locked in one transaction, so that they are free again
 * when it ends, in whatever way, and those without a result are somebody else's to take.
 */
export class Claims {
  readonly #client: pg.Client;
  readonly #build: string;
  /** Process id of the session that holds them. */
  readonly builder: number;
  readonly #taken: number[] = [];
  #last = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client, build: string, builder: number) {
    this.#client = client;
    this.#build = build;
    this.builder = builder;
  }

  static async open({ url }: Database, { id }: SharedBuild): Promise<Claims> {
    const client = await connect(url);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    return new Claims(client, id, rows[0]?.pid ?? 0);
  }

  /** The next task that nobody holds and that has no result, the largest first; null if there is none. */
  take(): Promise<ToBuild | null> {
    // One after the other: a row that this very transaction has locked is not skipped by it.
    const turn = this.#turn.then(() => this.#take());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #take(): Promise<ToBuild | null> {
    // What others gave back comes before what was taken last.
    const task = (await this.#after(this.#last, [])) ?? (await this.#after(0, this.#taken));
    if (!task) return null;
    this.#last = Math.max(this.#last, task.rank);
    this.#taken.push(task.rank);
    return task;
  }

  async #after(rank: number, except: readonly number[]): Promise<Task | null> {
    const { rows } = await this.#client.query<Task>(
      `SELECT rank, adapter, built_in AS "builtIn", kept,
              EXISTS (SELECT FROM adapter_statistics s WHERE s.adapter = t.adapter) AS stored
       FROM build_tasks t
       WHERE build = $1 AND rank > $2 AND rank <> ALL($3::int[]) AND NOT EXISTS
         (SELECT FROM build_results r WHERE r.build = t.build AND r.adapter = t.adapter)
       ORDER BY rank LIMIT 1 FOR UPDATE OF t SKIP LOCKED`,
      [this.#build, rank, int4Array(except)],
    );
    return rows[0] ?? null;
  }

  /** Gives back whatever is taken. */
  async close(): Promise<void> {
    await this.#turn;
    // The end of the connection alone would do it a moment later.
    await this.#client.query('ROLLBACK').catch(() => {});
    await this.#client.end();
  }
}
