import { int4Array, textArray } from './arrays.js';
import { type Queryable, queryPrepared } from './database.js';
import { SIDE_BY_SIDE } from './lock.js';

/*
 * Rows that several transactions change are locked in one order, so that no two ever wait for each other: samples,
 * adapters, deletions, dirty_adapters, erasures, tombstones, restatements, versions, and within a table by its key.
 */

export async function lockAdapters(client: Queryable, adapters: readonly number[]): Promise<void> {
  if (adapters.length === 0) return;
  await queryPrepared(
    client,
    'SELECT FROM adapters WHERE adapter = ANY($1::int[]) ORDER BY adapter FOR UPDATE',
    [int4Array(adapters)],
  );
}

/**
 * Returns those of the samples that are retained, and that stay so until the transaction ends: call it first. Their rows
 * cannot be locked, for content from another partition replaces one, and who has waited for it finds none.
 */
export async function holdRetained(
  client: Queryable,
  samples: readonly string[],
): Promise<ReadonlySet<string>> {
  await client.query(SIDE_BY_SIDE);
  const { rows } = await client.query<{ sample_id: string }>(
    'SELECT sample_id FROM samples WHERE sample_id = ANY($1::text[])',
    [textArray(samples)],
  );
  return new Set(rows.map((row) => row.sample_id));
}

type ErasureKey = { readonly key: string; readonly partition: number };

/** With the tombstones of the keys. Whoever reads them next sees what others have written until then. */
export async function lockErasures(
  client: Queryable,
  erasures: readonly ErasureKey[],
): Promise<void> {
  const keys = textArray(erasures.map(({ key }) => key));
  await client.query(
    `SELECT FROM erasures e JOIN unnest($1::text[], $2::int[]) AS d(key, partition)
       ON e.key = d.key AND e.partition = d.partition
     ORDER BY e.key, e.partition FOR UPDATE OF e`,
    [keys, int4Array(erasures.map(({ partition }) => partition))],
  );
  await client.query(
    'SELECT FROM tombstones WHERE sample_id = ANY($1::text[]) ORDER BY sample_id FOR UPDATE',
    [keys],
  );
}
