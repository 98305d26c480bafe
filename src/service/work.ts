import { buildVersion } from '../build/builder.js';
import { readPending } from '../build/plan.js';
import { endOldBuilds } from '../build/tasks.js';
import type { LegonetError } from '../errors.js';
import { CaughtUp } from '../log/caught-up.js';
import type { Batch } from '../log/event-log.js';
import { project } from '../projection/projector.js';
import { sealOld } from '../projection/seal-old.js';
import { announceDeadLetters } from '../publish/dead-letters.js';
import { eraseFromLog } from '../publish/erase.js';
import { publishPending } from '../publish/publisher.js';
import { recordErasures } from '../publish/record-erasures.js';
import { hasRestatements, restate } from '../publish/restate.js';
import { signLog } from '../publish/sign.js';
import type { Role } from '../store/lock.js';
import { readDeletionSeconds } from '../store/measures.js';
import { readOffsets } from '../store/offsets.js';
import { expectRemoved } from '../store/removed-members.js';
import { dropOldStatistics } from '../store/statistics.js';
import { erasureAlarm } from './erasure-alarm.js';
import { together, whenever } from './loops.js';
import type { Service } from './service.js';

/** A notification may be lost with its connection; the tables are looked at anyway after this long. */
const POLL_MS = 1000;
/** The consumer group of all projectors. */
const PROJECTORS = 'project';

/** What each role does, until the signal aborts. */
export const WORK: Record<Role, (service: Service, signal: AbortSignal) => Promise<void>> = {
  project: async (service, signal) => {
    await sealOldSamples(service);
    await project(
      {
        ...service,
        topic: service.settings.topics.sampleEvents,
        group: PROJECTORS,
        activate: service.compute.activate,
        erasureDeadlineMs: service.settings.erasureDeadlineMs,
        onAssigned: (partitions) => service.observe?.({ kind: 'assigned', partitions }),
        onBatch: (batch) => projected(service, batch),
        onStopped: (error) => partitionStopped(service, error),
      },
      signal,
    );
  },
  build: async (service, signal) => {
    const { database } = service;
    // On another backend than the model's, nothing is begun that could not be brought to its end.
    if (service.model.configuration.adapter.kind === 'softmax') await service.compute.ready();
    const expectNoMore = expectRemoved(database);
    let cleared = false;
    await whenever(database, 'legonet_projected', signal, async () => {
      const wait = await buildWhenDue(service, signal);
      // Afterwards: a deletion does not wait for what a leader that died has left.
      if (!cleared) await Promise.all([endOldBuilds(database), dropOldStatistics(database.pool)]);
      cleared = true;
      return wait;
    }).finally(() => {
      expectNoMore();
      // Whoever has the role next, a replay too, meets no sums from before.
      return service.compute.kept();
    });
  },
  publish: (service, signal) => {
    const alarm = erasureAlarm(service, () => performance.now());
    const caughtUp = new CaughtUp(Date.now);
    return together(signal, [
      (either) =>
        whenever(service.database, 'legonet_outbox', either, () => publishVersions(service)),
      // After the version: what is in the model is more urgent than what is in the log.
      (either) =>
        whenever(service.database, 'legonet_published', either, () =>
          tidyLog(service, alarm, caughtUp),
        ),
    ]);
  },
};

/** What an older Legonet has left: once, before anything is projected. */
async function sealOldSamples({ database, model, logger }: Service): Promise<void> {
  const samples = await sealOld(database, model);
  if (samples === 0) return;
  const event = 'samples_sealed';
  logger.info({ event, samples }, 'samples from before the audit log are in it');
}

function partitionStopped({ logger, observe, onStopped }: Service, error: LegonetError): void {
  onStopped?.(error);
  observe?.({ kind: 'failed', role: 'project' });
  logger.error({ event: 'partition_stopped', err: error }, 'a partition stands still');
}

function projected({ observe, onProjected }: Service, { partition, records }: Batch): void {
  onProjected?.(records.length);
  if (!observe) return;
  const now = Date.now();
  const seconds = records.map(({ time }) => Math.max(0, now - Number(time) / 1000) / 1000);
  observe({ kind: 'projected', partition, seconds });
}

async function publishVersions(service: Service): Promise<number> {
  const versions = await publishPending({
    ...service,
    topic: service.settings.topics.modelVersions,
  });
  for (const version of versions)
    service.logger.info({ event: 'version_published', version }, 'version published');
  if (service.observe && versions.length > 0) {
    const deletionSeconds = await readDeletionSeconds(service.database.pool, versions);
    service.observe({ kind: 'published', versions: versions.length, deletionSeconds });
  }
  return POLL_MS;
}

async function tidyLog(
  service: Service,
  alarm: () => Promise<void>,
  caughtUp: CaughtUp,
): Promise<number> {
  // Before anything that may fail: it is a broker that does not answer, perhaps, why they are overdue.
  await alarm();
  const { erasureDeadlineMs, topics } = service.settings;
  const { sampleEvents: topic, deadLetters } = topics;
  await eraseFromLog({ ...service, topic });
  await recordErasures(service.database);
  await signLog(service.database, service.signer);
  const { database, log } = service;
  if (log.compacts && (await hasRestatements(database.pool))) {
    const read = await readOffsets(database.pool);
    const partitions = caughtUp.partitions(read, await log.ends(topic));
    await restate({ ...service, topic, erasureDeadlineMs, partitions });
  }
  await announceDeadLetters({ ...service, topic: deadLetters });
  return POLL_MS;
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
  const onAdapter = (done: number, total: number) => {
    service.onAdapter?.(done, total);
    service.observe?.({ kind: 'progress', role: 'build' });
  };
  const outcome = await buildVersion({ ...service, onAdapter, now: () => new Date() }, signal);
  if (outcome) {
    const seconds = (performance.now() - started) / 1000;
    service.observe?.({ kind: 'built', seconds, adapters: outcome.rebuilt.length });
    const { version, modelDigest, rebuilt, helped, deletions, retired } = outcome;
    const elapsedMs = Math.round(performance.now() - started);
    const counts = { rebuilt: rebuilt.length, helped, deletions: deletions.length, retired };
    const event = 'version_built';
    logger.info({ event, version, modelDigest, ...counts, elapsedMs }, 'version built');
  }
  return 0;
}
