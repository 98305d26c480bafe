import type { LogRecord } from '../events/record.js';
import { byteaArray, int8Array, textArray } from '../store/arrays.js';
import { type Database, queryPrepared } from '../store/database.js';
import { keyText } from '../store/key-text.js';
import { Alarm, listen } from '../store/listen.js';
import {
  type Consumption,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_RECORDS,
  type Erasure,
  type EventLog,
  type NewRecord,
  REQUEST_HEADER,
} from './event-log.js';

const PARTITION = 0;
/** A notification may be lost with its connection; the log is looked at anyway after this long. */
const POLL_MS = 1000;

/** The event log on a Postgres table: one partition to a topic, positions without gaps when written. */
export class EmbeddedLog implements EventLog {
  readonly #database: Database;
  readonly #closing = new AbortController();
  readonly #appended = new Alarm();
  #listening: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    // The head's row lock is held until commit, so positions become visible in their order.
    await this.#database.pool.query(
      `WITH head AS (
         INSERT INTO log_heads (topic, next) VALUES ($1, $2)
         ON CONFLICT (topic) DO UPDATE SET next = log_heads.next + $2
         RETURNING next - $2 AS first
       ), written AS (
         INSERT INTO log_records (topic, position, key, value, headers, time)
         SELECT $1, first + n - 1, key, value, headers::json,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
         FROM head, unnest($3::text[], $4::bytea[], $5::text[])
           WITH ORDINALITY AS r(key, value, headers, n)
       )
       SELECT pg_notify('legonet_log', $1)`,
      [
        topic,
        records.length,
        textArray(records.map(({ key }) => keyText(key))),
        byteaArray(records.map((record) => record.value)),
        textArray(records.map(({ headers }) => (headers ? JSON.stringify(headers) : null))),
      ],
    );
    this.#appended.wake();
  }

  async ends(topic: string): Promise<ReadonlyMap<number, bigint>> {
    // Not the head: the last records may be erased, and no reader would ever come to it.
    const { rows } = await this.#database.pool.query<{ end: bigint | null }>(
      'SELECT max(position) + 1 AS end FROM log_records WHERE topic = $1',
      [topic],
    );
    return new Map([[PARTITION, rows[0]?.end ?? 0n]]);
  }

  async consume(topic: string, consumption: Consumption): Promise<void> {
    this.#listening ??= listen(
      this.#database.url,
      ['legonet_log'],
      this.#appended.wake,
      this.#closing.signal,
    );
    const { signal, maxRecords = DEFAULT_MAX_RECORDS, maxBytes = DEFAULT_MAX_BYTES } = consumption;
    let from = await consumption.start(PARTITION);
    let reading = this.read(topic, from, maxRecords, maxBytes);
    while (!signal.aborted) {
      const records = await reading;
      from = (records.at(-1)?.position ?? from - 1n) + 1n;
      if (records.length === 0) await this.#appended.wait(POLL_MS, signal);
      // The next batch is read while this one is handled.
      reading = this.read(topic, from, maxRecords, maxBytes);
      reading.catch(() => {});
      if (records.length > 0) await consumption.handle({ partition: PARTITION, records });
    }
    await reading;
  }

  /** Up to `maxRecords` records from a position on; more than one only within `maxBytes` in all. */
  async read(
    topic: string,
    from: bigint,
    maxRecords = DEFAULT_MAX_RECORDS,
    maxBytes = DEFAULT_MAX_BYTES,
  ): Promise<LogRecord[]> {
    const { rows } = await queryPrepared<Row>(
      this.#database.pool,
      'log-read',
      `SELECT position, key, value, headers, time FROM (
               SELECT *, sum(coalesce(octet_length(value), 0)) OVER ordered AS bytes,
                         row_number() OVER ordered AS nth
               FROM (SELECT * FROM log_records WHERE topic = $1 AND position >= $2
                     ORDER BY position LIMIT $3) AS part
               WINDOW ordered AS (ORDER BY position)) AS sized
             WHERE nth = 1 OR bytes <= $4 ORDER BY position`,
      [topic, from, maxRecords, maxBytes],
    );
    return rows.map(({ headers, ...record }) => ({
      ...record,
      partition: PARTITION,
      headers: headers ?? {},
    }));
  }

  async erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    // The deletion first: were it the last thing done, a crash could leave neither payload nor deletion.
    await this.#remind(
      topic,
      erasures.filter(({ deletion }) => deletion === null),
    );
    await this.#database.pool.query(
      // By index: the planner takes a list for longer than most are, and would read the whole log.
      `WITH found AS MATERIALIZED (
         SELECT r.topic, r.position FROM unnest($2::text[], $3::int8[]) AS e(key, keep)
         CROSS JOIN LATERAL
           (SELECT topic, position FROM log_records
            WHERE topic = $1 AND key = e.key AND value IS NOT NULL
              AND position IS DISTINCT FROM e.keep AND position < $4 OFFSET 0) AS r
       )
       DELETE FROM log_records l USING found f
       WHERE l.topic = f.topic AND l.position = f.position`,
      [
        topic,
        textArray(erasures.map(({ key }) => key)),
        int8Array(erasures.map(({ deletion }) => deletion?.position ?? null)),
        read.get(PARTITION) ?? 0n,
      ],
    );
  }

  /** Writes a deletion record for each key that has none. */
  async #remind(topic: string, erasures: readonly Erasure[]): Promise<void> {
    if (erasures.length === 0) return;
    const { rows } = await this.#database.pool.query<{ key: string }>(
      `SELECT e.key FROM unnest($2::text[]) AS e(key) CROSS JOIN LATERAL
         (SELECT FROM log_records WHERE topic = $1 AND key = e.key AND value IS NULL LIMIT 1) AS r`,
      [topic, textArray(erasures.map(({ key }) => key))],
    );
    const reminded = new Set(rows.map((row) => row.key));
    await this.append(
      topic,
      erasures
        .filter(({ key }) => !reminded.has(key))
        .map(({ key, requestId }) => ({
          key,
          value: null,
          headers: { [REQUEST_HEADER]: requestId },
        })),
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#listening;
  }
}

type Row = {
  position: bigint;
  key: string | null;
  value: Uint8Array | null;
  headers: Record<string, string> | null;
  time: bigint;
};
