import type { Admin, Kafka } from 'kafkajs';
import { LegonetError } from '../../errors.js';
import { toLogError } from './errors.js';

/**
 * One admin client for all who need one, made again when it has failed. One use at a time: in kafkajs
 * 2.2.4 fetchTopicMetadata of one topic forgets all others, and fetchTopicOffsets that is on its way for
 * another one then fails with a TypeError.
 */
export class SharedAdmin {
  readonly #kafka: Kafka;
  #admin: Promise<Admin> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** Throws what `toLogError` makes of trouble; `doing` says in its message what was tried. */
  use<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    const used = this.#last.then(() => this.#use(doing, work));
    this.#last = used.catch(() => {});
    return used;
  }

  async #use<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#open();
    const opening = this.#admin;
    try {
      return await work(await opening);
    } catch (error) {
      if (error instanceof LegonetError) throw error;
      if (this.#admin === opening) this.#admin = undefined;
      opening.then((admin) => admin.disconnect()).catch(() => {});
      throw toLogError(error, doing);
    }
  }

  async #open(): Promise<Admin> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return admin;
    } catch (error) {
      await admin.disconnect().catch(() => {});
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#last;
    const admin = await this.#admin?.catch(() => undefined);
    this.#admin = undefined;
    await admin?.disconnect().catch(() => {});
  }
}
