import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from './database.js';

/** Wake-ups between processes. Each is a hint only: what happened is read from the tables. */
export type Channel =
  | 'legonet_log'
  | 'legonet_projected'
  | 'legonet_build'
  | 'legonet_outbox'
  | 'legonet_published';

const RECONNECT_MS = 500;

/**
 * Calls `onNotify` for each notification on the channels, and once after every (re)connection, since
 * something may have happened in between. Resolves when the signal aborts.
 */
export async function listen(
  url: string,
  channels: readonly Channel[],
  onNotify: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const client = await connect(url).catch(() => null);
    // An abort while the connection was made is over: a listener for it would wait for ever.
    if (client && !signal.aborted) {
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve);
        client.once('error', () => resolve());
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      client.on('notification', onNotify);
      await client
        .query(channels.map((channel) => `LISTEN ${channel}`).join(';'))
        .then(onNotify, () => {});
      await ended;
    }
    await client?.end().catch(() => {});
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

/** Something to wait on: woken by `wake`, by time, or by an abort, whichever comes first. */
export class Alarm {
  #waiting = new Set<() => void>();
  #rung = false;

  wake = (): void => {
    this.#rung = true;
    for (const resolve of this.#waiting) resolve();
  };

  /** Resolves at once if `wake` was called since the last wait. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener('abort', done, { once: true });
        this.#waiting.add(done);
      });
    }
    this.#rung = false;
  }
}
