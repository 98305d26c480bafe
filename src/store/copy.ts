import { finished } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { LegonetError } from '../errors.js';

/** What COPY's binary format begins with: signature, flags, extension length (PostgreSQL manual, COPY). */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);

/**
 * The one row of a query, its fields as raw bytes, by COPY: bytea crosses as it is, where an ordinary
 * result would be twice as long, in hex. `select` takes no parameters: put numbers into it only.
 */
export async function copyRow(
  client: ClientBase,
  select: string,
): Promise<(Buffer | null)[] | null> {
  const stream = client.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const count = bytes.readInt16BE(HEADER.length);
  if (count < 0) return null;
  const fields: (Buffer | null)[] = [];
  let at = HEADER.length + 2;
  for (let field = 0; field < count; field++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    fields.push(length < 0 ? null : bytes.subarray(at, at + length));
    at += Math.max(0, length);
  }
  if (bytes.readInt16BE(at) === -1) return fields;
  throw new LegonetError('unexpected_rows', 'a query for one row gave several', 'stop');
}

/** Appends rows in COPY's binary format, without header and trailer, to `table (columns)`. */
export async function copyInto(client: ClientBase, table: string, rows: Buffer): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT binary)`));
  const done = finished(stream);
  stream.write(HEADER);
  stream.write(rows);
  stream.end(TRAILER);
  await done;
}
