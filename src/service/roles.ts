import { setTimeout as sleep } from 'node:timers/promises';
import { buildVersion } from '../build/builder.js';
import { leadOrHelp } from '../build/help.js';
import { readPending } from '../build/plan.js';
import { endOldBuilds } from '../build/tasks.js';
import { LegonetError } from '../errors.js';
import { project } from '../projection/projector.js';
import { announceDeadLetters } from '../publish/dead-letters.js';
import { eraseFromLog } from '../publish/erase.js';
import { publishPending } from '../publish/publisher.js';
import { restate } from '../publish/restate.js';
import { isRetryable } from '../store/database.js';
import { Alarm, type Channel, listen } from '../store/listen.js';
import { type Leadership, lead, type Role } from '../store/lock.js';
import { erasureAlarm } from './erasure-alarm.js';
import type { Service } from './service.js';

export type { Role } from '../store/lock.js';
export const ROLES = ['project', 'build', 'publish'] as const satisfies readonly Role[];

/** Told each failure of a role, before it is tried again. */
export type OnFailure = (role: Role, error: unknown) => void;

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
/** A notification may be lost with its connection; the tables are looked at anyway after this long. */
const POLL_MS = 1000;
/** The consumer group of all projectors. */
const PROJECTORS = 'project';

/**
 * Does a role's work until the signal aborts, one process at a time, others standing by (those that
 * build help meanwhile). A failure is reported and the work taken up again: from what is stored, so
 * nothing is lost or done twice.
 */
export async function runRole(
  service: Service,
  role: Role,
  signal: AbortSignal,
  onFailure: OnFailure,
): Promise<void> {
  let wait = FIRST_RETRY_MS;
  while (!signal.aborted) {
    try {
      // Where the log shares its partitions, projectors work side by side.
      const together = role === 'project' && service.log.shares;
      const leadership = await (role === 'build'
        ? leadBuild(service, signal)
        : lead(service.database.url, role, signal, together));
      if (!leadership) return;
      const started = performance.now();
      try {
        await WORK[role](service, AbortSignal.any([signal, leadership.lost]));
      } finally {
        await leadership.release().catch(() => {});
        if (performance.now() - started > LAST_RETRY_MS) wait = FIRST_RETRY_MS;
      }
    } catch (error) {
      if (signal.aborted && isRetryable(error)) return;
      onFailure(role, error);
      await sleep(wait, undefined, { signal }).catch(() => {});
      wait = Math.min(2 * wait, LAST_RETRY_MS);
    }
  }
}

const WORK: Record<Role, (service: Service, signal: AbortSignal) => Promise<void>> = {
  project: (service, signal) =>
    project(
      {
        ...service,
        topic: service.settings.topics.sampleEvents,
        group: PROJECTORS,
        activate: service.compute.activate,
        ...(service.onProjected && { onBatch: service.onProjected }),
      },
      signal,
    ),
  build: (service, signal) => {
    let cleared = false;
    return whenever(service, 'legonet_projected', signal, async () => {
      const wait = await buildWhenDue(service, signal);
      // Afterwards: a deletion does not wait for what a leader that died has left.
      if (!cleared) await endOldBuilds(service.database);
      cleared = true;
      return wait;
    });
  },
  publish: (service, signal) => {
    const alarm = erasureAlarm(service, () => performance.now());
    return together(signal, [
      (either) => whenever(service, 'legonet_outbox', either, () => publishVersions(service)),
      // After the version: what is in the model is more urgent than what is in the log.
      (either) => whenever(service, 'legonet_published', either, () => tidyLog(service, alarm)),
    ]);
  },
};

async function publishVersions(service: Service): Promise<number> {
  const versions = await publishPending({
    ...service,
    topic: service.settings.topics.modelVersions,
  });
  for (const version of versions)
    service.logger.info({ event: 'version_published', version }, 'version published');
  return POLL_MS;
}

async function tidyLog(service: Service, alarm: () => Promise<void>): Promise<number> {
  // Before anything that may fail: it is a broker that does not answer, perhaps, why they are overdue.
  await alarm();
  const { sampleEvents: topic, deadLetters } = service.settings.topics;
  await eraseFromLog({ ...service, topic });
  await restate({ ...service, topic });
  await announceDeadLetters({ ...service, topic: deadLetters });
  return POLL_MS;
}

/** Runs loops side by side; where one fails, the others are ended, and the failure is thrown. */
async function together(
  signal: AbortSignal,
  loops: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const ends = loops.map((loop) =>
    loop(either).catch((error) => {
      failed.abort();
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(ends);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}

/** Calls `work` at each notification, and after as many milliseconds as it returned. */
async function whenever(
  { database }: Service,
  channel: Channel,
  signal: AbortSignal,
  work: () => Promise<number>,
): Promise<void> {
  const alarm = new Alarm();
  const ended = new AbortController();
  const listening = listen(
    database.url,
    [channel],
    alarm.wake,
    AbortSignal.any([signal, ended.signal]),
  );
  try {
    while (!signal.aborted) await alarm.wait(await work(), signal);
  } finally {
    ended.abort();
    await listening;
  }
}

function leadBuild(service: Service, signal: AbortSignal): Promise<Leadership | null> {
  const onHelped = (adapters: number) =>
    service.logger.info(
      { event: 'build_helped', adapters },
      "helped with another process's version",
    );
  return leadOrHelp({ ...service, onHelped }, signal);
}

/** Builds if something is due; returns the milliseconds until something may be. */
async function buildWhenDue(service: Service, signal: AbortSignal): Promise<number> {
  const { database, settings, logger } = service;
  const { urgent, waitingMs } = await readPending(database.pool);
  const due = waitingMs !== null && waitingMs >= settings.buildDelayMs;
  if (!urgent && !due) {
    return waitingMs === null ? POLL_MS : Math.min(POLL_MS, settings.buildDelayMs - waitingMs);
  }
  const started = performance.now();
  const outcome = await buildVersion({ ...service, now: () => new Date() }, signal);
  if (outcome) {
    const { version, modelDigest, rebuilt, helped, deletions, retired } = outcome;
    const elapsedMs = Math.round(performance.now() - started);
    const counts = { rebuilt: rebuilt.length, helped, deletions: deletions.length, retired };
    const event = 'version_built';
    logger.info({ event, version, modelDigest, ...counts, elapsedMs }, 'version built');
  }
  return 0;
}

/** Whether trying again, with nobody's help, can be expected to succeed. */
export const canRecover = (error: unknown): boolean =>
  isRetryable(error) && !(error instanceof LegonetError && error.retry === 'stop');
