import type { Rows } from '../model/statistics.js';
import { type Queryable, queryPrepared } from '../store/database.js';

/** Rows to a round trip: bounds memory at PAGE × dimension bytes, however large the adapter. */
const PAGE = 8192;

/** Position after which members are wanted, by partition. */
export type After = Readonly<Record<string, string>>;

/**
 * Pages of an adapter's members, joined by the server into one byte string each: no row objects.
 * Order is immaterial (`fitAdapter` sorts by content). With `after`, only members beyond it.
 */
export async function* readMembers(
  client: Queryable,
  adapter: number,
  partitions: readonly string[],
  after: After = {},
): AsyncIterable<Rows> {
  for (const partition of partitions) {
    let last: bigint | null = BigInt(after[partition] ?? '0') - 1n;
    while (last !== null) {
      const page: Page | undefined = await readPage(client, adapter, Number(partition), last);
      if (!page || page.count === 0n) break;
      yield {
        encodings: new Int8Array(
          page.encodings.buffer,
          page.encodings.byteOffset,
          page.encodings.byteLength,
        ),
        labels: unpackLabels(page.labels),
      };
      last = page.count === BigInt(PAGE) ? page.last : null;
    }
  }
}

type Page = { count: bigint; last: bigint; encodings: Buffer; labels: Buffer };

async function readPage(
  client: Queryable,
  adapter: number,
  partition: number,
  after: bigint,
): Promise<Page | undefined> {
  const { rows } = await queryPrepared<Page>(
    client,
    'members-page',
    `SELECT count(*) AS count, max(position) AS last,
                  string_agg(encoding, ''::bytea) AS encodings,
                  string_agg(int2send(label), ''::bytea) AS labels
           FROM (SELECT s.position, s.encoding, s.label
                 FROM memberships m JOIN samples s USING (partition, position)
                 WHERE m.adapter = $1 AND m.partition = $2 AND m.position > $3
                 ORDER BY m.position LIMIT ${PAGE}) AS page`,
    [adapter, partition, after],
  );
  return rows[0];
}

function unpackLabels(bytes: Buffer): Uint16Array {
  const labels = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < labels.length; i++) labels[i] = bytes.readUInt16BE(2 * i);
  return labels;
}
