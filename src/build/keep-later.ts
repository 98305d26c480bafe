import type { Keeping } from './snapshot.js';

/*
 * Threads write statistics when a build is over: whoever waits for its version does not wait for them. They stay in the
 * thread that has them, as moving megabytes about has each thread's garbage collected more often; the two sides
 * share two numbers. That statistics are kept is never needed: without, members are summed again.
 */

/** How often threads were told to write, and how many statistics wait to be written or are being written. */
export type SharedNumbers = Int32Array;
const [TOLD, WAITING] = [0, 1];

export const sharedNumbers = (): SharedNumbers => new Int32Array(new SharedArrayBuffer(8));

/** So long after the last adapter of a build, its version is published. */
const AFTER_MS = 50;
/** What takes longer is not waited for: its thread may have died. */
const GIVE_UP_MS = 10_000;

/** On the side of whoever knows when a build is over. */
export class KeepLater {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly shared: SharedNumbers) {}

  /** An adapter was built: if its statistics wait, others' do not begin to be written yet. */
  built(): void {
    if (Atomics.load(this.shared, WAITING) === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), AFTER_MS);
  }

  /** Resolves when nothing is left to write; what waits is written at once. */
  async done(): Promise<void> {
    this.#tell();
    for (;;) {
      const waiting = Atomics.load(this.shared, WAITING);
      if (waiting === 0) return;
      const change = await Atomics.waitAsync(this.shared, WAITING, waiting, GIVE_UP_MS).value;
      if (change === 'timed-out') return;
    }
  }

  #tell(): void {
    clearTimeout(this.#timer);
    Atomics.add(this.shared, TOLD, 1);
    Atomics.notify(this.shared, TOLD);
  }
}

/** On the side of a thread. */
export class KeepWhenTold {
  readonly #waiting: Keeping[] = [];

  constructor(
    private readonly shared: SharedNumbers,
    private readonly write: (statistics: Keeping) => Promise<void>,
  ) {}

  add(statistics: Keeping): void {
    Atomics.add(this.shared, WAITING, 1);
    if (this.#waiting.push(statistics) === 1) this.#whenTold();
  }

  async #whenTold(): Promise<void> {
    const told = Atomics.load(this.shared, TOLD);
    await Atomics.waitAsync(this.shared, TOLD, told).value;
    for (const statistics of this.#waiting.splice(0)) {
      await this.write(statistics).catch(() => {});
      Atomics.sub(this.shared, WAITING, 1);
      Atomics.notify(this.shared, WAITING);
    }
  }
}
