import { readErasures } from '../store/status.js';
import type { Service } from './service.js';

/** Often enough for a deadline, and seldom enough for a log. */
const LOOK_MS = 60_000;

/** Says so, once a minute, as long as the log holds payloads of deleted samples, or raw inputs, beyond the deadline. */
export function erasureAlarm(
  { database, settings, logger }: Pick<Service, 'database' | 'settings' | 'logger'>,
  now: () => number,
): () => Promise<void> {
  const deadlineMs = settings.erasureDeadlineMs;
  let looked = Number.NEGATIVE_INFINITY;
  return async () => {
    if (now() - looked < LOOK_MS) return;
    looked = now();
    const { erasuresOverdue: overdue, oldestErasureMs } = await readErasures(
      database.pool,
      deadlineMs,
    );
    if (overdue === 0n) return;
    const oldestMs = Math.round(oldestErasureMs ?? 0);
    logger.error(
      { event: 'erasure_overdue', overdue: Number(overdue), oldestMs, deadlineMs },
      'payloads of deleted samples, or raw inputs, are in the log beyond the deadline',
    );
  };
}
