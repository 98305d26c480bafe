import pg from 'pg';
import type { LogRecord } from '../events/record.js';
import { byteaArray, int8Array, textArray } from '../store/arrays.js';
import { copyRows, type RawRow } from '../store/copy.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { keyText } from '../store/key-text.js';
import { Alarm, listen } from '../store/listen.js';
import {
  type Consumption,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_RECORDS,
  type Erasure,
  type ErasureProgress,
  type EventLog,
  type NewRecord,
  type Place,
} from './event-log.js';

const PARTITION = 0;
/** A notification may be lost with its connection; the log is looked at anyway after this long. */
const POLL_MS = 1000;
/** A log that grew from nothing looks small to the planner: it would sort it, values and all, on disk. */
const IN_ORDER = `ISOLATION LEVEL READ COMMITTED READ ONLY;
  SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off`;

/** The event log on a Postgres table: one partition to a topic, positions without gaps when written. */
export class EmbeddedLog implements EventLog {
  readonly system = 'postgresql';
  readonly compacts: boolean = false;
  readonly shares = false;
  readonly #database: Database;
  readonly #closing = new AbortController();
  readonly #appended = new Alarm();
  #listening: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<Place[]> {
    const first = await this.#append(topic, records);
    return records.map((_, i) => ({ partition: PARTITION, position: first + BigInt(i) }));
  }

  /** Returns the first record's position. */
  async #append(topic: string, records: readonly NewRecord[]): Promise<bigint> {
    if (records.length === 0) return 0n;
    // The head's row lock is held until commit, so positions become visible in their order.
    const { rows } = await this.#database.pool.query<{ first: bigint }>(
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
       SELECT first, pg_notify('legonet_log', $1) FROM head`,
      [
        topic,
        records.length,
        textArray(records.map(({ key }) => keyText(key))),
        byteaArray(records.map((record) => record.value)),
        textArray(headerTexts(records)),
      ],
    );
    this.#appended.wake();
    return rows[0]?.first ?? 0n;
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
    consumption.assigned?.([PARTITION]);
    let from = await consumption.start(PARTITION);
    let reading = this.read(topic, from, maxRecords, maxBytes);
    while (!signal.aborted) {
      const records = await reading;
      from = (records.at(-1)?.position ?? from - 1n) + 1n;
      if (records.length === 0) await this.#appended.wait(POLL_MS, signal);
      // The next batch is read while this one is handled.
      reading = this.read(topic, from, maxRecords, maxBytes);
      reading.catch(() => {});
      if (records.length > 0) {
        await consumption.handle({ partition: PARTITION, records, next: from });
      }
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
    const rows = await transaction(
      this.#database.pool,
      (client) =>
        copyRows(
          client,
          `SELECT position, key, value, headers::text, time FROM (
             SELECT *, sum(coalesce(octet_length(value), 0)) OVER ordered AS bytes,
                       row_number() OVER ordered AS nth
             FROM (SELECT * FROM log_records
                   WHERE topic = ${pg.escapeLiteral(topic)} AND position >= ${from}
                   ORDER BY position LIMIT ${maxRecords}) AS part
             WINDOW ordered AS (ORDER BY position)) AS sized
           WHERE nth = 1 OR bytes <= ${maxBytes} ORDER BY position`,
        ),
      IN_ORDER,
    );
    return toRecords(rows);
  }

  async erase(
    topic: string,
    erasures: readonly Erasure[],
    read: ReadonlyMap<number, bigint>,
  ): Promise<ErasureProgress[]> {
    // The deletions first: were they the last thing done, a crash could leave neither payload nor deletion.
    const first = await this.#append(
      topic,
      erasures.map(({ key, record }) => ({ ...record(), key })),
    );
    await this.#database.pool.query(
      // By index: the planner takes a list for longer than most are, and would read the whole log.
      `WITH found AS MATERIALIZED (
         SELECT r.topic, r.position FROM unnest($2::text[]) AS e(key)
         CROSS JOIN LATERAL
           (SELECT topic, position FROM log_records
            WHERE topic = $1 AND key = e.key AND position < $3 OFFSET 0) AS r
       )
       DELETE FROM log_records l USING found f
       WHERE l.topic = f.topic AND l.position = f.position`,
      [topic, textArray(erasures.map(({ key }) => key)), min(first, read.get(PARTITION) ?? 0n)],
    );
    return erasures.map(({ key, partition }, i) => ({
      key,
      partition,
      declared: first + BigInt(i),
      erased: true,
    }));
  }

  async rewrite(client: Queryable, topic: string, records: readonly LogRecord[]): Promise<void> {
    if (records.length === 0) return;
    await client.query(
      `UPDATE log_records l SET value = r.value, headers = r.headers::json
       FROM unnest($2::int8[], $3::bytea[], $4::text[]) AS r(position, value, headers)
       WHERE l.topic = $1 AND l.position = r.position`,
      [
        topic,
        int8Array(records.map(({ position }) => position)),
        byteaArray(records.map(({ value }) => value)),
        textArray(records.map(({ headers }) => JSON.stringify(headers))),
      ],
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#listening;
  }
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

function headerTexts(records: readonly NewRecord[]): (string | null)[] {
  let last: { headers: NewRecord['headers']; text: string | null } = { headers: {}, text: '{}' };
  return records.map(({ headers }) => {
    // Most have the headers of the one before.
    if (headers !== last.headers) {
      last = { headers, text: headers ? JSON.stringify(headers) : null };
    }
    return last.text;
  });
}

function toRecords(rows: readonly RawRow[]): LogRecord[] {
  let last: { text: Buffer | null; headers: LogRecord['headers'] } = { text: null, headers: {} };
  return rows.map(([position, key, value, text, time]) => {
    // Most have the headers of the one before.
    if (!sameBytes(text ?? null, last.text)) {
      last = { text: text ?? null, headers: text ? JSON.parse(text.toString('utf8')) : {} };
    }
    return {
      partition: PARTITION,
      position: position?.readBigInt64BE() ?? 0n,
      key: key?.toString('utf8') ?? null,
      value: value ?? null,
      headers: last.headers,
      time: time?.readBigInt64BE() ?? 0n,
    };
  });
}

const sameBytes = (a: Buffer | null, b: Buffer | null): boolean => (a && b ? a.equals(b) : a === b);
