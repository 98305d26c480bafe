import { LegonetError } from '../errors.js';
import { Alarm } from '../store/listen.js';
import { Backoff } from './backoff.js';
import type { Remote } from './http.js';

const POLL_MS = 60_000;

/** Tells the server which version is in use, until it has heard it. */
export class Acknowledgement {
  readonly #alarm = new Alarm();
  readonly #remote: Remote;
  readonly #path: string;
  #adopted: number | null = null;
  #told: number | null = null;

  constructor(remote: Remote, name: string) {
    this.#remote = remote;
    this.#path = `/v1/subscribers/${encodeURIComponent(name)}`;
  }

  adopted(version: number): void {
    this.#adopted = version;
    this.#alarm.wake();
  }

  async run(signal: AbortSignal, trouble: (error: unknown) => void): Promise<void> {
    const backoff = new Backoff();
    let failures = 0;
    let reported: unknown;
    while (!signal.aborted) {
      const version = this.#adopted;
      if (version === this.#told) {
        await this.#alarm.wait(POLL_MS, signal);
        continue;
      }
      try {
        await this.#remote.put(this.#path, { version });
        this.#told = version;
        failures = 0;
        reported = undefined;
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        // The topic may know of a version a moment before the server does.
        const code = error instanceof LegonetError ? error.code : error;
        if (failures++ > 0 && code !== reported) {
          reported = code;
          trouble(error);
        }
        await backoff.wait(signal);
      }
    }
  }
}
