import type pg from 'pg';
import { connect } from '../store/database.js';

/** As many connections as there is work at a time. Each lasts from one piece of work to the next, unless one fails. */
export class OwnConnections {
  readonly #url: string;
  readonly #free: pg.Client[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  async use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = this.#free.pop() ?? (await connect(this.#url));
    try {
      const result = await work(client);
      this.#free.push(client);
      return result;
    } catch (error) {
      // Whatever state it is in, and what broke it may have broken the others: the next work gets new ones.
      client.end().catch(() => {});
      this.close().catch(() => {});
      throw error;
    }
  }

  /** Those that are in use stay open. */
  async close(): Promise<void> {
    await Promise.all(this.#free.splice(0).map((client) => client.end()));
  }
}
