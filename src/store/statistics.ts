import type { ClientBase } from 'pg';
import type { Kernel } from '../model/kernel.js';
import {
  accumulate,
  decodeStatistics,
  encodeStatistics,
  type Shape,
  type Statistics,
} from '../model/statistics.js';
import { copyRow } from './copy.js';
import type { Queryable } from './database.js';

/*
 * Kept statistics are the sums over an adapter's members with positions before `through`. Whoever
 * takes a member away subtracts it in the same transaction, under the adapter's row lock; whoever
 * writes new sums holds that lock and first makes sure that nothing was taken away since its cut.
 */

/** Next position, by partition, as decimal strings. */
export type Positions = Readonly<Record<string, string>>;

export type KeptStatistics = { readonly statistics: Statistics; readonly through: Positions };

/** A member taken away: its content, and the record that the content came from. */
export type RemovedMember = {
  readonly adapter: number;
  readonly partition: number;
  readonly position: bigint;
  readonly encoding: Int8Array;
  readonly label: number;
};

/** Subtracting from more adapters than this in one transaction costs more than summing them afresh. */
const MAX_SUBTRACTIONS = 64;

/** Locks adapters' rows in order of id, so that no two transactions wait for each other. */
export async function lockAdapters(client: Queryable, adapters: readonly number[]): Promise<void> {
  await client.query('SELECT FROM adapters WHERE adapter = ANY($1) ORDER BY adapter FOR UPDATE', [
    adapters,
  ]);
}

export async function readStatistics(
  client: ClientBase,
  adapter: number,
  shape: Shape,
): Promise<KeptStatistics | null> {
  const row = await copyRow(
    client,
    `SELECT count, convert_to(through::text, 'UTF8'), sums FROM adapter_statistics
     WHERE adapter = ${adapter}`,
  );
  const [count, through, sums] = row ?? [];
  if (!count || !through || !sums) return null;
  const statistics = decodeStatistics(sums, count.readInt32BE(), shape);
  return { statistics, through: JSON.parse(through.toString('utf8')) };
}

/** Takes removed members out of the kept statistics. The adapters' rows must be locked. */
export async function subtractRemoved(
  client: ClientBase,
  kernel: Kernel,
  shape: Shape,
  removed: readonly RemovedMember[],
): Promise<void> {
  const { rows } = await client.query<{ adapter: number }>(
    'SELECT adapter FROM adapter_statistics WHERE adapter = ANY($1)',
    [[...new Set(removed.map((member) => member.adapter))]],
  );
  const kept = rows.map((row) => row.adapter);
  if (kept.length > MAX_SUBTRACTIONS) {
    await client.query('DELETE FROM adapter_statistics WHERE adapter = ANY($1)', [kept]);
    return;
  }
  for (const adapter of kept) {
    const members = removed.filter((member) => member.adapter === adapter);
    await subtract(client, kernel, shape, adapter, members);
  }
}

async function subtract(
  client: ClientBase,
  kernel: Kernel,
  shape: Shape,
  adapter: number,
  removed: readonly RemovedMember[],
): Promise<void> {
  const kept = await readStatistics(client, adapter, shape);
  if (!kept) return;
  const summed = removed.filter(
    ({ partition, position }) => position < BigInt(kept.through[partition] ?? '0'),
  );
  if (summed.length === 0) return;
  const encodings = new Int8Array(summed.length * shape.dimension);
  summed.forEach(({ encoding }, i) => {
    encodings.set(encoding, i * shape.dimension);
  });
  const rows = { encodings, labels: summed.map(({ label }) => label) };
  const { count, sums } = accumulate(kernel, kept.statistics, shape, rows, -1);
  await client.query('UPDATE adapter_statistics SET count = $2, sums = $3 WHERE adapter = $1', [
    adapter,
    count,
    encodeStatistics({ count, sums }),
  ]);
}

/**
 * Keeps new sums over the members before `through`, unless a member was taken away since (the sums
 * would bring it back), another build has overtaken this one (the adapter is no longer the one that
 * was built in version `builtIn`), samples have moved by other keys (`generation`), or a replay has begun
 * since (removals before `through` are to come again, and would be subtracted twice). Call in a transaction of its own.
 */
export async function keepStatistics(
  client: Queryable,
  adapter: number,
  { builtIn, generation }: { readonly builtIn: number | null; readonly generation: bigint },
  { statistics, through }: KeptStatistics,
): Promise<void> {
  await lockAdapters(client, [adapter]);
  await client.query(
    `INSERT INTO adapter_statistics (adapter, count, through, sums)
     SELECT $1, $2, $3::jsonb, $4 FROM adapters a
     WHERE a.adapter = $1 AND a.version IS NOT DISTINCT FROM $5
       AND NOT EXISTS (SELECT FROM dirty_adapters d WHERE d.adapter = $1
                       AND d.removed >= coalesce(($3::jsonb ->> d.partition::text)::bigint, 0))
       AND NOT EXISTS (SELECT FROM offsets o
                       WHERE o.position < ($3::jsonb ->> o.partition::text)::bigint)
       AND NOT EXISTS (SELECT FROM placement WHERE generation <> $6)
     ON CONFLICT (adapter) DO UPDATE
       SET count = excluded.count, through = excluded.through, sums = excluded.sums`,
    [
      adapter,
      statistics.count,
      JSON.stringify(through),
      encodeStatistics(statistics),
      builtIn,
      generation,
    ],
  );
}
