/** Passes values on to everybody who iterates; who is slow loses the oldest. */
export class Broadcast<T> {
  readonly #capacity: number;
  readonly #readers = new Set<{ readonly queue: T[]; wake: () => void }>();
  #ended = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  send(value: T): void {
    for (const reader of this.#readers) {
      reader.queue.push(value);
      if (reader.queue.length > this.#capacity) reader.queue.shift();
      reader.wake();
    }
  }

  end(): void {
    this.#ended = true;
    for (const { wake } of this.#readers) wake();
  }

  /** What is sent from this very call on, until the end. */
  iterate(): AsyncIterableIterator<T> {
    const reader = { queue: [] as T[], wake: () => {} };
    const readers = this.#readers;
    readers.add(reader);
    let done = false;
    const finish = (): IteratorReturnResult<undefined> => {
      done = true;
      readers.delete(reader);
      reader.wake();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        for (;;) {
          if (done) return finish();
          if (reader.queue.length > 0) return { done: false, value: reader.queue.shift() as T };
          if (this.#ended) return finish();
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
        }
      },
      return: async () => finish(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
