import type { InputBatch, InputRow, RowGroup } from './rows.js';

/** A batch is handed on early once this much was read for it, however few its rows. */
const BATCH_BYTES = 16 * 1024 * 1024;

export type Batching = {
  /** Index of the first row that the groups hold. */
  readonly firstRow: number;
  readonly skip: number;
  readonly limit: number;
  readonly batchRows: number;
  readonly bytesRead: () => number;
  readonly signal: AbortSignal | undefined;
};

/** Cuts groups of any size into batches, leaving out the rows to skip and those over the limit. */
export async function* batches(
  groups: AsyncIterable<RowGroup>,
  { firstRow, skip, limit, batchRows, bytesRead, signal }: Batching,
): AsyncGenerator<InputBatch> {
  const end = firstRow + skip + limit;
  let next = firstRow + skip;
  let seen = firstRow;
  let rows: InputRow[] = [];
  let bytes = 0;
  const take = (): InputBatch => {
    const batch = { rows, firstRow: next, bytesRead: bytesRead() };
    next += rows.length;
    rows = [];
    bytes = 0;
    return batch;
  };
  signal?.throwIfAborted();
  if (limit <= 0) return;
  for await (const group of groups) {
    signal?.throwIfAborted();
    bytes += group.bytes;
    for (const row of group.rows) {
      if (seen === end) break;
      if (seen >= next) rows.push(row);
      seen++;
      if (rows.length === batchRows) {
        yield take();
        signal?.throwIfAborted();
      }
    }
    if (seen === end) break;
    if (bytes >= BATCH_BYTES && rows.length > 0) yield take();
  }
  if (rows.length > 0) yield take();
}
