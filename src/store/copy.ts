import { finished } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { LegonetError } from '../errors.js';

/** What COPY's binary format begins with: signature, flags, extension length (PostgreSQL manual, COPY). */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);

/** A row's fields as raw bytes, views of what the server sent. */
export type RawRow = readonly (Buffer | null)[];

/** Bytes before the first field of the first row: the header, the number of fields and the field's length. */
const BEFORE_FIRST = HEADER.length + 6;

/**
 * The rows of a query by COPY: bytea crosses as it is, where an ordinary result would be twice as long,
 * in hex. `select` takes no parameters: put numbers and escaped literals into it only. The first field of the
 * first row begins at a multiple of eight in a buffer of its own, so that numbers can be read in place.
 */
export async function copyRows(client: ClientBase, select: string): Promise<RawRow[]> {
  const stream = client.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`));
  const padding = -BEFORE_FIRST & 7;
  const chunks: Buffer[] = [Buffer.alloc(padding)];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = joined(chunks);
  const rows: RawRow[] = [];
  let at = padding + HEADER.length;
  for (;;) {
    const count = bytes.readInt16BE(at);
    if (count < 0) return rows;
    at += 2;
    const fields: (Buffer | null)[] = [];
    for (let field = 0; field < count; field++) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : bytes.subarray(at, at + length));
      at += Math.max(0, length);
    }
    rows.push(fields);
  }
}

/** In a buffer of their own, where `Buffer.concat` may take part of one that is shared. */
function joined(chunks: readonly Buffer[]): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(chunks.reduce((sum, chunk) => sum + chunk.length, 0)));
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(bytes, at);
  return bytes;
}

/** The same as they come, so that there may be any number: some at a time, until all are read. */
export async function* copyStream(client: ClientBase, select: string): AsyncGenerator<RawRow[]> {
  const stream = client.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`));
  let rest: Buffer = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of stream) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : (chunk as Buffer);
    const start = begun ? 0 : HEADER.length;
    if (bytes.length < start) {
      rest = bytes;
      continue;
    }
    begun = true;
    const { rows, end } = wholeRows(bytes, start);
    if (rows.length > 0) yield rows;
    rest = bytes.subarray(end);
  }
}

/** The rows that are there to their last byte, and where the next one begins. */
function wholeRows(bytes: Buffer, start: number): { rows: RawRow[]; end: number } {
  const rows: RawRow[] = [];
  for (let end = start; ; ) {
    let at = end + 2;
    if (at > bytes.length) return { rows, end };
    const count = bytes.readInt16BE(end);
    if (count < 0) return { rows, end: bytes.length };
    const fields: (Buffer | null)[] = [];
    for (let field = 0; field < count; field++) {
      if (at + 4 > bytes.length) return { rows, end };
      const length = bytes.readInt32BE(at);
      at += 4 + Math.max(0, length);
      if (at > bytes.length) return { rows, end };
      fields.push(length < 0 ? null : bytes.subarray(at - length, at));
    }
    rows.push(fields);
    end = at;
  }
}

/** The one row of a query, by COPY; null if there is none. Throws `unexpected_rows` for several. */
export async function copyRow(client: ClientBase, select: string): Promise<RawRow | null> {
  const [row, another] = await copyRows(client, select);
  if (!another) return row ?? null;
  throw new LegonetError('unexpected_rows', 'a query for one row gave several', 'stop');
}

/** Appends rows in COPY's binary format, without header and trailer, to `table (columns)`; `rows` in any number of parts. */
export async function copyInto(
  client: ClientBase,
  table: string,
  ...rows: readonly Uint8Array[]
): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT binary)`));
  const done = finished(stream);
  stream.write(HEADER);
  for (const part of rows) stream.write(part);
  stream.end(TRAILER);
  await done;
}
