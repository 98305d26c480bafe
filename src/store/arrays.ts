/**
 * Postgres arrays in binary form, as node-postgres passes a Buffer: no hex, no quoting, no parsing.
 * Use with a cast, as in `unnest($1::bytea[])`. (PostgreSQL source, array_recv.)
 */
function arrayOf<T>(
  oid: number,
  values: readonly (T | null)[],
  size: (value: T) => number,
  write: (out: Buffer, at: number, value: T, view: DataView) => void,
): Buffer {
  let length = 20;
  for (const value of values) length += 4 + (value === null ? 0 : size(value));
  const out = Buffer.allocUnsafe(length);
  // Numbers are written through it at a fraction of what Buffer's own methods take.
  const view = new DataView(out.buffer, out.byteOffset, length);
  view.setInt32(0, values.length === 0 ? 0 : 1);
  view.setInt32(4, 1);
  view.setInt32(8, oid);
  if (values.length === 0) return out.subarray(0, 12);
  view.setInt32(12, values.length);
  view.setInt32(16, 1);
  let at = 20;
  for (const value of values) {
    const bytes = value === null ? 0 : size(value);
    view.setInt32(at, value === null ? -1 : bytes);
    at += 4;
    if (value !== null) write(out, at, value, view);
    at += bytes;
  }
  return out;
}

export const int2Array = (values: readonly (number | null)[]): Buffer =>
  arrayOf(
    21,
    values,
    () => 2,
    (_, at, value, view) => view.setInt16(at, value),
  );

export const int4Array = (values: readonly (number | null)[]): Buffer =>
  arrayOf(
    23,
    values,
    () => 4,
    (_, at, value, view) => view.setInt32(at, value),
  );

export const int8Array = (values: readonly (bigint | null)[]): Buffer =>
  arrayOf(
    20,
    values,
    () => 8,
    (_, at, value, view) => view.setBigInt64(at, value),
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
