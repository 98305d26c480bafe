import type { ClientBase } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { LegonetError } from '../errors.js';

/** Signature, flags and extension length of COPY's binary format (PostgreSQL manual, COPY). */
const HEADER_BYTES = 19;

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
  const count = bytes.readInt16BE(HEADER_BYTES);
  if (count < 0) return null;
  const fields: (Buffer | null)[] = [];
  let at = HEADER_BYTES + 2;
  for (let field = 0; field < count; field++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    fields.push(length < 0 ? null : bytes.subarray(at, at + length));
    at += Math.max(0, length);
  }
  if (bytes.readInt16BE(at) === -1) return fields;
  throw new LegonetError('unexpected_rows', 'a query for one row gave several', 'stop');
}
