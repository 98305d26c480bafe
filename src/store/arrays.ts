/**
 * Postgres arrays in binary form, as node-postgres passes a Buffer: no hex, no quoting, no parsing.
 * Use with a cast, as in `unnest($1::bytea[])`. (PostgreSQL source, array_recv.)
 */
function arrayOf<T>(
  oid: number,
  values: readonly (T | null)[],
  size: (value: T) => number,
  write: (out: Buffer, at: number, value: T) => void,
): Buffer {
  let length = 20;
  for (const value of values) length += 4 + (value === null ? 0 : size(value));
  const out = Buffer.allocUnsafe(length);
  out.writeInt32BE(values.length === 0 ? 0 : 1, 0);
  out.writeInt32BE(1, 4);
  out.writeInt32BE(oid, 8);
  if (values.length === 0) return out.subarray(0, 12);
  out.writeInt32BE(values.length, 12);
  out.writeInt32BE(1, 16);
  let at = 20;
  for (const value of values) {
    const bytes = value === null ? 0 : size(value);
    out.writeInt32BE(value === null ? -1 : bytes, at);
    at += 4;
    if (value !== null) write(out, at, value);
    at += bytes;
  }
  return out;
}

export const int2Array = (values: readonly (number | null)[]): Buffer =>
  arrayOf(
    21,
    values,
    () => 2,
    (out, at, value) => out.writeInt16BE(value, at),
  );

export const int4Array = (values: readonly (number | null)[]): Buffer =>
  arrayOf(
    23,
    values,
    () => 4,
    (out, at, value) => out.writeInt32BE(value, at),
  );

export const int8Array = (values: readonly (bigint | null)[]): Buffer =>
  arrayOf(
    20,
    values,
    () => 8,
    (out, at, value) => out.writeBigInt64BE(value, at),
  );

export const textArray = (values: readonly (string | null)[]): Buffer =>
  arrayOf(25, values, Buffer.byteLength, (out, at, value) => out.write(value, at));

export const byteaArray = (values: readonly (Uint8Array | Int8Array | null)[]): Buffer =>
  arrayOf(
    17,
    values,
    (value) => value.byteLength,
    (out, at, value) => out.set(value, at),
  );
