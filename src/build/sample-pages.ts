import type { ClientBase } from 'pg';
import { copyRows } from '../store/copy.js';
import type { Queryable } from '../store/database.js';

/** Samples of one partition, in order of position. */
export type SamplePage = {
  readonly partition: number;
  readonly positions: readonly bigint[];
  /** int8 [count, dimension] */
  readonly encodings: Int8Array;
  /** [count, activated], nearest first; -1 for those that are not placed. */
  readonly current: Int32Array;
};

/** Rows to a round trip: bounds memory, however many there are. */
const PAGE = 4096;

/** Those that are not placed yet, or all of them, page by page; each may be changed before the next is asked for. */
export async function* readPages(
  client: ClientBase,
  which: 'unplaced' | 'all',
  dimension: number,
  activated: number,
): AsyncIterable<SamplePage> {
  for (const partition of await partitions(client)) {
    for (let last: bigint | null = -1n; last !== null; ) {
      const rows = await copyRows(
        client,
        `SELECT position, encoding, CASE WHEN NOT unplaced THEN array_send(adapters) END FROM samples
         WHERE partition = ${partition} AND position > ${last} ${which === 'unplaced' ? 'AND unplaced' : ''}
         ORDER BY position LIMIT ${PAGE}`,
      );
      const encodings = new Int8Array(rows.length * dimension);
      const current = new Int32Array(rows.length * activated).fill(-1);
      const positions = rows.map(([position, encoding, adapters], row) => {
        if (encoding) encodings.set(encoding, row * dimension);
        for (let i = 0; adapters && i < activated; i++) {
          // As array_send writes it: 20 bytes, and then each element after its length.
          current[row * activated + i] = adapters.readInt32BE(24 + 8 * i);
        }
        return position?.readBigInt64BE() ?? -1n;
      });
      if (rows.length > 0) yield { partition, positions, encodings, current };
      last = rows.length === PAGE ? (positions.at(-1) ?? null) : null;
    }
  }
}

async function partitions(client: Queryable): Promise<number[]> {
  const { rows } = await client.query<{ partition: number }>(
    'SELECT partition FROM offsets ORDER BY partition',
  );
  return rows.map(({ partition }) => partition);
}
