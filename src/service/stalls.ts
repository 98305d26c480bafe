import type { Role } from '../store/lock.js';

/** Work that waits for a role. `mark` changes whenever some of it is done. */
export type Waiting = {
  readonly role: Role;
  /** Of what kind: there is one such of a role at a time. */
  readonly what: string;
  readonly mark: string;
};

export type Stall = Waiting & { readonly seconds: number };

/** Remembers since when which work has waited without any of it being done. */
export class Stalls {
  #since = new Map<string, { readonly waiting: Waiting; readonly at: number }>();
  #seen = 0;

  /** All that waits now, at a time in milliseconds. What is not among it waits no more. */
  saw(all: readonly Waiting[], now: number): void {
    const entries = all.map((waiting) => {
      const name = `${waiting.role}: ${waiting.what}`;
      const known = this.#since.get(name);
      const entry = known?.waiting.mark === waiting.mark ? known : { waiting, at: now };
      return [name, entry] as const;
    });
    this.#since = new Map(entries);
    this.#seen = now;
  }

  /** What had waited so many milliseconds when it was last seen. */
  longerThan(milliseconds: number): Stall[] {
    return [...this.#since.values()]
      .map(({ waiting, at }) => ({ waiting, waited: this.#seen - at }))
      .filter(({ waited }) => waited >= milliseconds)
      .map(({ waiting, waited }) => ({ ...waiting, seconds: Math.floor(waited / 1000) }));
  }
}
