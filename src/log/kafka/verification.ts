import { LegonetError } from '../../errors.js';
import type { Erasure } from '../event-log.js';
import type { ConsumeOptions } from './consume-options.js';

/** An erasure whose deletion is in the log. */
export type Declared = Erasure & { readonly declared: NonNullable<Erasure['declared']> };

type Reading = {
  first: bigint;
  last: bigint;
  readonly keys: Map<string, Declared>;
  readonly found: Set<string>;
};

/** Nothing was read for so long: somebody else has our partitions, perhaps. */
const STALLED_MS = 120_000;

/**
 * Reads the log again and returns those erasures of which no record is left before the deletion. Keeps keys
 * only, and reads each partition once. Throws `verification_stalled` or what reading throws.
 */
export async function findGone(
  erasures: readonly Declared[],
  consume: (
    options: Pick<ConsumeOptions, 'start' | 'handle' | 'onProgress' | 'signal'>,
  ) => Promise<void>,
  signal: AbortSignal,
): Promise<Declared[]> {
  const readings = new Map<number, Reading>();
  for (const erasure of erasures) plan(readings, erasure);
  const unread = new Set(readings.keys());
  const ended = new AbortController();
  const stalled = setTimeout(() => ended.abort(), STALLED_MS);
  try {
    await consume({
      signal: AbortSignal.any([signal, ended.signal]),
      start: async (partition) => {
        const reading = unread.has(partition) ? readings.get(partition) : undefined;
        return reading?.first ?? null;
      },
      handle: async ({ partition, records }) => {
        const reading = readings.get(partition);
        for (const { key, position } of records) {
          const erasure = key === null ? undefined : reading?.keys.get(key);
          if (key === null || !erasure) continue;
          if (position >= erasure.first && position < erasure.declared.position) {
            reading?.found.add(key);
          }
        }
      },
      onProgress: (partition, next) => {
        stalled.refresh();
        if (next <= (readings.get(partition)?.last ?? -1n)) return true;
        unread.delete(partition);
        if (unread.size === 0) ended.abort();
        return false;
      },
    });
  } finally {
    clearTimeout(stalled);
  }
  if (unread.size > 0 && !signal.aborted) {
    throw new LegonetError(
      'verification_stalled',
      `${unread.size} partitions could not be read to see what is erased: it is tried again`,
      'retryable',
    );
  }
  return erasures.filter(
    ({ key, partition }) =>
      !unread.has(partition) && readings.get(partition)?.found.has(key) === false,
  );
}

function plan(readings: Map<number, Reading>, erasure: Declared): void {
  const { key, partition, first, declared } = erasure;
  const reading = readings.get(partition);
  if (!reading) {
    const keys = new Map([[key, erasure]]);
    readings.set(partition, { first, last: declared.position, keys, found: new Set() });
    return;
  }
  reading.keys.set(key, erasure);
  if (first < reading.first) reading.first = first;
  if (declared.position > reading.last) reading.last = declared.position;
}
