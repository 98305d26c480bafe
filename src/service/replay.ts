import { rollRecord } from '../events/own-records.js';
import { sealOld } from '../projection/seal-old.js';
import { restate } from '../publish/restate.js';
import { dropProjections } from '../store/replay.js';
import { catchUp, readLag } from './catch-up.js';
import type { Service } from './service.js';

/**
 * Forgets the projections and projects the log again from its start. `onProgress` is told how many
 * events are done, and of how many. Throws `busy` while another process projects or builds.
 */
export async function replay(
  service: Service,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const { database, log, settings } = service;
  const topic = settings.topics.sampleEvents;
  if (log.compacts) await finishLog(service);
  // What a sample is committed to outlives the replay; so all have it first.
  await sealOld(database, service.model);
  await dropProjections(database, await log.ends(topic), log.compacts);
  const total = Number(await readLag(service));
  let done = 0;
  const onProjected = (records: number) => {
    done += records;
    onProgress(done, total);
  };
  await catchUp({ ...service, onProjected }, signal);
  // Erased records count as lag, and are never read.
  if (!signal.aborted) onProgress(total, total);
}

/** Writes what only the projections know yet, and a record at each end: a reader comes to that, surely. */
async function finishLog(service: Service): Promise<void> {
  const { log, settings } = service;
  const { erasureDeadlineMs, topics } = settings;
  const topic = topics.sampleEvents;
  await restate({ ...service, topic, erasureDeadlineMs });
  const partitions = [...(await log.ends(topic)).keys()];
  await log.append(
    topic,
    partitions.map((partition) => ({ ...rollRecord(), partition })),
  );
}
