import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable } from '#src/store/database.js';

const PAUSE_MS = 100;

/** As a role does it: what failed and may be tried again is tried again. Returns how often it failed. */
export async function persist(work: () => Promise<void>): Promise<number> {
  for (let failed = 0; ; failed++) {
    try {
      await work();
      return failed;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
