import type pg from 'pg';
import { connect } from '../store/database.js';

/** A connection that lasts from one piece of work to the next, and is made again after one that failed. */
export class OwnConnection {
  readonly #url: string;
  #connection: Promise<pg.Client> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    this.#connection ??= connect(this.#url);
    const connection = this.#connection;
    try {
      return await work(await connection);
    } catch (error) {
      // Whatever state the connection is in, the next task gets a fresh one.
      if (this.#connection === connection) this.#connection = undefined;
      connection.then((client) => client.end()).catch(() => {});
      throw error;
    }
  }

  async close(): Promise<void> {
    const client = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    await client?.end();
  }
}
