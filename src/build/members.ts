import type { ClientBase } from 'pg';
import type { Rows } from '../model/statistics.js';
import { copyRow } from '../store/copy.js';

/** Rows to a round trip: bounds memory at PAGE × dimension bytes, however large the adapter. */
const PAGE = 8192;

/** Position after which members are wanted, by partition. */
export type After = Readonly<Record<string, string>>;

/**
 * Pages of an adapter's members, joined by the server into one byte string each: no row objects.
 * Order is immaterial (`fitAdapter` sorts by content). With `after`, only members beyond it.
 */
export async function* readMembers(
  client: ClientBase,
  adapter: number,
  partitions: readonly string[],
  after: After = {},
): AsyncIterable<Rows> {
  for (const partition of partitions) {
    let last: bigint | null = BigInt(after[partition] ?? '0') - 1n;
    while (last !== null) {
      const page: Page | null = await readPage(client, adapter, Number(partition), last);
      if (!page) break;
      yield {
        encodings: new Int8Array(
          page.encodings.buffer,
          page.encodings.byteOffset,
          page.encodings.byteLength,
        ),
        labels: unpackLabels(page.labels),
      };
      last = page.count === PAGE ? page.last : null;
    }
  }
}

type Page = {
  readonly count: number;
  readonly last: bigint;
  readonly encodings: Buffer;
  readonly labels: Buffer;
};

async function readPage(
  client: ClientBase,
  adapter: number,
  partition: number,
  after: bigint,
): Promise<Page | null> {
  const row = await copyRow(
    client,
    `SELECT count(*), max(position), string_agg(encoding, ''::bytea),
            string_agg(int2send(label), ''::bytea)
     FROM (SELECT s.position, s.encoding, s.label
           FROM memberships m JOIN samples s USING (partition, position)
           WHERE m.adapter = ${adapter} AND m.partition = ${partition} AND m.position > ${after}
           ORDER BY m.position LIMIT ${PAGE}) AS page`,
  );
  const [count, last, encodings, labels] = row ?? [];
  if (!count || !last || !encodings || !labels) return null;
  return { count: Number(count.readBigInt64BE()), last: last.readBigInt64BE(), encodings, labels };
}

function unpackLabels(bytes: Buffer): Uint16Array {
  const labels = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < labels.length; i++) labels[i] = bytes.readUInt16BE(2 * i);
  return labels;
}
