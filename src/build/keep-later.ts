import type { Keeping } from './snapshot.js';

/** So long after the last adapter of a build, its version is published: whoever waits for that does not wait for sums. */
const AFTER_MS = 50;

/** Writes statistics when a build is over. That they are kept is never needed: without, members are summed again. */
export class KeepLater {
  readonly #write: (sums: Keeping) => Promise<void>;
  readonly #writing = new Set<Promise<void>>();
  #waiting: Keeping[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (sums: Keeping) => Promise<void>) {
    this.#write = write;
  }

  add(sums: Keeping): void {
    this.#waiting.push(sums);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), AFTER_MS);
  }

  /** Resolves when nothing is left to write; what waits is written at once. */
  async done(): Promise<void> {
    this.#begin();
    await Promise.all(this.#writing);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    for (const sums of this.#waiting.splice(0)) {
      const written = this.#write(sums).catch(() => {});
      this.#writing.add(written);
      written.then(() => this.#writing.delete(written));
    }
  }
}
