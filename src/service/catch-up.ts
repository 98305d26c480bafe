import { readPending } from '../build/plan.js';
import { LegonetError } from '../errors.js';
import type { EventLog } from '../log/event-log.js';
import { readLags } from '../log/lag.js';
import { hasUnsealed } from '../projection/seal-old.js';
import type { Settings } from '../settings.js';
import { int4Array } from '../store/arrays.js';
import type { Database } from '../store/database.js';
import { readStopped } from '../store/dead-letters.js';
import { Alarm, listen } from '../store/listen.js';
import { REPLAYING } from '../store/offsets.js';
import { canRecover, type Role, runRole } from './roles.js';
import type { Service } from './service.js';

const POLL_MS = 200;

/**
 * Projects all that the log holds now, builds, publishes. Does the work itself unless another process
 * has the role; then it waits for that one. Throws on a failure that trying again cannot mend.
 */
export async function catchUp(service: Service, signal: AbortSignal): Promise<void> {
  const eager = { ...service, settings: { ...service.settings, buildDelayMs: 0 } };
  const goals = {
    project: async () =>
      !(await hasUnsealed(service.database.pool)) &&
      (await lagBesides(service, await stoppedPartitions(service))) === 0n,
    build: async () => {
      const { urgent, waitingMs } = await readPending(service.database.pool);
      return !urgent && waitingMs === null;
    },
    publish: async () => {
      const { rowCount } = await service.database.pool.query(
        'SELECT FROM outbox WHERE published_at IS NULL LIMIT 1',
      );
      return rowCount === 0 && (await isTidy(service));
    },
  } satisfies Record<Role, () => Promise<boolean>>;
  const order = ['project', 'build', 'publish'] as const;
  const done = async () => (await Promise.all(order.map((role) => goals[role]()))).every(Boolean);
  while (!signal.aborted && !(await done())) {
    const failures: unknown[] = [];
    for (const role of order) {
      // What could be projected before a failure is built and published all the same.
      await runUntil(eager, role, goals[role], signal).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
  // Where the others could go on without it, nobody has said so yet.
  const [stopped] = signal.aborted ? [] : await stoppedPartitions(service);
  if (stopped === undefined) return;
  throw new LegonetError(
    'partition_stopped',
    `partition ${stopped} stands still before a deletion that cannot be applied; everything else is done. ` +
      'See `legonet dead-letters`',
    'stop',
  );
}

/** Partitions that stand still before a deletion, in a log whose other partitions go on. */
async function stoppedPartitions({ database, log }: Service): Promise<number[]> {
  if (!log.shares) return [];
  return (await readStopped(database.pool)).map(({ partition }) => partition);
}

/**
 * Whether the log has all that it needs and has forgotten what it forgets at once, and all is signed. A log that compacts
 * is not told before all of a partition is read: who publishes waits for who projects.
 */
async function isTidy({ database, log, settings }: Service): Promise<boolean> {
  const lags = log.compacts ? await readLags(database.pool, log, settings.topics.sampleEvents) : [];
  const unread = lags.filter(({ behind }) => behind > 0n).map(({ partition }) => partition);
  const { rows } = await database.pool.query<{ busy: boolean }>(
    `SELECT EXISTS (SELECT FROM erasures
                    WHERE partition <> ALL($1::int[]) ${log.compacts ? 'AND declared_position IS NULL' : ''})
         OR EXISTS (SELECT FROM restatements WHERE partition <> ALL($1::int[]))
         OR EXISTS (SELECT FROM dead_letters WHERE announced_at IS NULL)
         OR EXISTS (SELECT FROM tlog_batches WHERE first_index IS NULL)
         OR EXISTS (SELECT FROM tlog_head WHERE size > signed_size)
         OR EXISTS (SELECT FROM evidence JOIN tombstones USING (sample_id)
                    WHERE erasure IS NULL AND applied_in IS NOT NULL AND erased_at IS NOT NULL
                      AND NOT ${REPLAYING}) AS busy`,
    [int4Array(unread)],
  );
  return rows[0]?.busy === false;
}

/** Runs one role until its goal is reached. */
async function runUntil(
  service: Service,
  role: Role,
  reached: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  if (await reached()) return;
  const finished = new AbortController();
  const running = AbortSignal.any([signal, finished.signal]);
  const failure: { error?: unknown } = {};
  const work = runRole(service, role, running, (_, error) => {
    if (canRecover(error)) return;
    failure.error = error;
    finished.abort();
  });
  try {
    await waitUntil(service.database, reached, running);
  } finally {
    finished.abort();
    await work;
  }
  if (failure.error !== undefined) throw failure.error;
}

/** Resolves when `reached` says so, or when the signal aborts. Looks again at every notification. */
export async function waitUntil(
  { url }: Database,
  reached: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const alarm = new Alarm();
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const channels = ['legonet_projected', 'legonet_outbox', 'legonet_published'] as const;
  const listening = listen(url, channels, alarm.wake, either);
  try {
    while (!signal.aborted && !(await reached())) await alarm.wait(POLL_MS, signal);
  } finally {
    ended.abort();
    await listening;
  }
}

type Behind = {
  readonly database: Database;
  readonly log: EventLog;
  readonly settings: Settings;
};

/** Records in the log that are not projected yet. */
export const readLag = (stores: Behind): Promise<bigint> => lagBesides(stores, []);

/** The same, without some partitions. */
async function lagBesides(
  { database, log, settings }: Behind,
  partitions: readonly number[],
): Promise<bigint> {
  const lags = await readLags(database.pool, log, settings.topics.sampleEvents);
  return lags
    .filter(({ partition }) => !partitions.includes(partition))
    .reduce((sum, { behind }) => sum + behind, 0n);
}
