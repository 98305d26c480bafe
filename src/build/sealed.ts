import type { ClientBase } from 'pg';
import { ENTRY_BYTES } from '../audit/sets/entries.js';
import { LegonetError } from '../errors.js';
import { copyRow } from '../store/copy.js';
import type { Cut } from './plan.js';

/** Samples as the sets have them: entries (64 bytes each), and adapter ids [samples, width]; both flat. */
export type Sealed = {
  readonly entries: Uint8Array;
  readonly adapters: Int32Array;
  readonly width: number;
};

/** The ids of the sample in row `i`. */
export const adaptersOf = ({ adapters, width }: Sealed, i: number): Int32Array =>
  adapters.subarray(i * width, (i + 1) * width);

/** Rows to a round trip: bounds memory, however many there are. */
export const PAGE = 8192;

/** Content of a partition at positions from `from` to before `to`, page by page. */
export async function* readSealed(
  client: ClientBase,
  partition: number,
  from: bigint,
  to: bigint,
): AsyncIterable<Sealed> {
  for (let next = from; next < to; ) {
    const { count, last, ...page } = await readPage(
      client,
      `SELECT position, commitment, membership, adapters FROM samples
       WHERE partition = ${partition} AND position >= ${next} AND position < ${to}
       ORDER BY position LIMIT ${PAGE}`,
    );
    if (count > 0) yield page;
    if (count < PAGE) return;
    next = last + 1n;
  }
}

/** Content that was there at the first cut and is not at the second; a replay's removals are from no set. */
export function removals(from: Cut, to: Cut): string {
  const before = (cut: Cut, partition: string, position: string) =>
    Object.entries(cut)
      .map(([p, at]) => `(${partition} = ${Number(p)} AND ${position} < ${at})`)
      .join(' OR ') || 'false';
  // One that had moved by other keys is in the sets where it was before.
  return `SELECT position, commitment, coalesce(m.membership, r.membership) AS membership,
      coalesce(m.adapters, r.adapters) AS adapters
    FROM removals r LEFT JOIN moves m USING (commitment)
    WHERE commitment IS NOT NULL AND (${before(to, 'partition', 'position')})
      AND NOT (${before(from, 'partition', 'position')})
      AND (${before(from, 'content_partition', 'content_position')})`;
}

/** Samples that are there still and have moved since the sets' cut: as the sets have them (`m`), or as they are (`s`). */
export const moves = (side: 'm' | 's'): string =>
  `SELECT 0::bigint AS position, commitment, ${side}.membership, ${side}.adapters
   FROM moves m JOIN samples s USING (sample_id, commitment)`;

/**
 * The rows of a query with position, commitment, membership and adapters, joined by the server into one
 * byte string each: no row objects. Throws `unsealed_sample` (retryable) if one has no commitment.
 */
export async function readPage(
  client: ClientBase,
  query: string,
): Promise<Sealed & { readonly count: number; readonly last: bigint }> {
  const row = await copyRow(
    client,
    `SELECT count(*), coalesce(max(position), -1), string_agg(sha256(commitment) || membership, ''::bytea),
            string_agg(array_send(adapters), ''::bytea)
     FROM (${query}) AS page`,
  );
  const [counted, last, entries, arrays] = row ?? [];
  const count = Number(counted?.readBigInt64BE() ?? 0);
  const bytes = entries ?? Buffer.alloc(0);
  if (bytes.length !== count * ENTRY_BYTES) {
    throw new LegonetError(
      'unsealed_sample',
      'samples from before there was an audit log are not in it yet: the role `project` puts them there',
      'retryable',
    );
  }
  const unpacked = unpackArrays(arrays ?? Buffer.alloc(0), count);
  return { count, last: last?.readBigInt64BE() ?? -1n, entries: bytes, ...unpacked };
}

/** int[] after int[], all of one length, as array_send writes them (PostgreSQL source, arrayfuncs.c). */
function unpackArrays(bytes: Buffer, count: number): Pick<Sealed, 'adapters' | 'width'> {
  // Dimensions, nulls, type, length, lower bound: 4 bytes each; then each element after its length.
  const width = count === 0 ? 0 : bytes.readInt32BE(12);
  const size = 20 + 8 * width;
  if (bytes.length !== count * size) {
    throw new LegonetError('sets_disagree', 'a sample has another number of adapters', 'stop');
  }
  const adapters = new Int32Array(count * width);
  for (let i = 0; i < adapters.length; i++) {
    const row = Math.floor(i / width);
    adapters[i] = bytes.readInt32BE(row * size + 24 + 8 * (i - row * width));
  }
  return { adapters, width };
}
