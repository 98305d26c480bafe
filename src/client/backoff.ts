import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 100;
const LAST_MS = 10_000;

/** Waits longer after each failure in a row, up to 10 s; never as long as all the others. */
export class Backoff {
  #next = FIRST_MS;

  /** What was tried has succeeded. */
  reset(): void {
    this.#next = FIRST_MS;
  }

  /** Resolves also when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const milliseconds = this.#next * (0.5 + Math.random() / 2);
    this.#next = Math.min(2 * this.#next, LAST_MS);
    await sleep(milliseconds, undefined, { signal }).catch(() => {});
  }
}
