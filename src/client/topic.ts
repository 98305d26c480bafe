import { Backoff } from './backoff.js';
import type { OpenLog } from './log.js';
import type { Source } from './source.js';

/** Events read again at first, by partition: of these a server may not have answered for yet. */
const OVERLAP = 16n;
/** A hint may be lost; the newest version is asked for anyway after this long. */
const ASK_MS = 60_000;

/** News by the model-versions topic, from now on. */
export function topicSource(log: OpenLog, topic: string): Source {
  return async (listener, signal) => {
    const backoff = new Backoff();
    const next = new Map<number, bigint>();
    const timer = setInterval(() => listener.missed(), ASK_MS);
    while (!signal.aborted) {
      try {
        const ends = await log.ends(topic);
        await log.consume(topic, {
          signal,
          start: async (partition) => {
            listener.connected(true);
            listener.missed();
            return next.get(partition) ?? before(ends.get(partition) ?? 0n);
          },
          handle: async (batch) => {
            backoff.reset();
            for (const { value, headers } of batch.records) {
              if (value) listener.hear(value, headers);
            }
            next.set(batch.partition, batch.next);
          },
        });
      } catch (error) {
        if (signal.aborted) break;
        // Where the topic was made anew its positions are others.
        next.clear();
        listener.trouble(error);
      } finally {
        listener.connected(false);
      }
      await backoff.wait(signal);
    }
    clearInterval(timer);
  };
}

const before = (end: bigint): bigint => (end > OVERLAP ? end - OVERLAP : 0n);
