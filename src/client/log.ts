import type { EventLog } from '../log/event-log.js';
import type { Settings } from '../settings.js';

/** A log that was opened for one user alone. */
export type OpenLog = Pick<EventLog, 'append' | 'consume' | 'ends' | 'close'>;

/** Opens the log. Drivers are loaded where they are used: a subscriber by HTTP needs none. */
export async function openLog(settings: Settings, signal?: AbortSignal): Promise<OpenLog> {
  const { kafka, topics, erasureDeadlineMs } = settings;
  if (kafka) {
    const { KafkaLog } = await import('../log/kafka/log.js');
    // Not prepared: to make and to check topics is the service's, which knows what they must be.
    return new KafkaLog({ kafka, topics, erasureDeadlineMs });
  }
  const { openStores, unreachable } = await import('../log/open.js');
  const { database, log, close } = await openStores(settings, undefined, signal);
  return {
    append: (topic, records) =>
      log.append(topic, records).catch((error) => {
        throw unreachable(database.url, error);
      }),
    consume: log.consume.bind(log),
    ends: log.ends.bind(log),
    close,
  };
}
