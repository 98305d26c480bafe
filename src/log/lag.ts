import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../store/database.js';
import { readOffsets } from '../store/offsets.js';
import type { EventLog } from './event-log.js';

/** How far a partition is projected: its next position, and how many records are after it. */
export type PartitionLag = {
  readonly partition: number;
  readonly position: bigint;
  readonly behind: bigint;
};

/** By partition; what was erased from the log counts where positions have gaps. */
export async function readLags(
  client: Queryable,
  log: EventLog,
  topic: string,
): Promise<PartitionLag[]> {
  const ends = await log.ends(topic);
  const offsets = await readOffsets(client);
  return [...ends].map(([partition, end]) => {
    const position = offsets.get(partition) ?? 0n;
    return { partition, position, behind: end > position ? end - position : 0n };
  });
}

const LATE_MS = 5000;

/** As `readLags`, but null if the log or the database fails or takes long. */
export async function readLagsInTime(
  client: Queryable,
  log: EventLog,
  topic: string,
): Promise<PartitionLag[] | null> {
  const cancelled = new AbortController();
  const late = sleep(LATE_MS, null, { signal: cancelled.signal }).catch(() => null);
  try {
    return await Promise.race([readLags(client, log, topic).catch(() => null), late]);
  } finally {
    cancelled.abort();
  }
}
