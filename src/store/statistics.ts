import type { ClientBase } from 'pg';
import type { Kernel } from '../model/kernel.js';
import {
  accumulate,
  decodeStatistics,
  encodeStatistics,
  type Rows,
  type Shape,
  type Statistics,
  unknowns,
} from '../model/statistics.js';
import { copyInto, copyRow } from './copy.js';
import { CopyRows } from './copy-rows.js';
import { type Queryable, queryPrepared } from './database.js';
import { lockAdapters } from './row-locks.js';

/*
 * Kept statistics are the sums over an adapter's members with positions before `through`, less those that
 * records before `without` have taken away. They hold while the adapter in service is the one that was built at
 * the very cut `through`: what has been taken away since is in `removals`, and whoever builds the adapter next
 * subtracts it. Where the projection cannot hand over what that takes, it subtracts itself, under the adapter's
 * row lock, and moves `without` on.
 */

/** Next position, by partition, as decimal strings. */
export type Positions = Readonly<Record<string, string>>;

export type KeptStatistics = {
  readonly statistics: Statistics;
  readonly through: Positions;
  readonly without: Positions;
};

/** Of an adapter `a`: those of its adapter_statistics `s` that hold. */
export const HOLDS = 's.through = (SELECT cut FROM versions WHERE version = a.version)';

/** A member taken away: its content, and the record that the content came from. */
export type RemovedMember = {
  readonly adapter: number;
  readonly partition: number;
  readonly position: bigint;
  readonly encoding: Int8Array;
  readonly label: number;
};

/**
 * Subtracting in the transaction of a removal, one adapter after the other, costs more than summing them afresh
 * from more adapters than this, or from those with fewer members per unknown.
 */
const MAX_SUBTRACTIONS = 64;
const SUBTRACT_FROM = 4;

export async function readStatistics(
  client: ClientBase,
  adapter: number,
  shape: Shape,
): Promise<KeptStatistics | null> {
  const row = await copyRow(
    client,
    `SELECT sums, count, convert_to(through::text, 'UTF8'), convert_to(without::text, 'UTF8')
     FROM adapter_statistics WHERE adapter = ${adapter}`,
  );
  const [sums, count, through, without] = row ?? [];
  if (!count || !through || !without || !sums) return null;
  return {
    statistics: decodeStatistics(sums, count.readInt32BE(), shape),
    through: JSON.parse(through.toString('utf8')),
    without: JSON.parse(without.toString('utf8')),
  };
}

/** Whether a position is before those. */
export const isBefore = (
  { partition, position }: { readonly partition: number; readonly position: bigint },
  positions: Positions,
): boolean => position < BigInt(positions[partition] ?? '0');

/**
 * Takes members that a batch has removed, up to `last`, out of the kept statistics; not where others are
 * still to be subtracted, for then it is all left to the build. The adapters' rows must be locked.
 */
export async function subtractRemoved(
  client: ClientBase,
  kernel: Kernel,
  shape: Shape,
  removed: readonly RemovedMember[],
  last: { readonly partition: number; readonly position: bigint },
): Promise<void> {
  const { rows } = await client.query<{ adapter: number; count: number }>(
    `SELECT adapter, count FROM adapter_statistics s JOIN adapters a USING (adapter)
     WHERE adapter = ANY($1) AND ${HOLDS} AND NOT EXISTS
       (SELECT FROM dirty_adapters d WHERE d.adapter = s.adapter
        AND d.removed >= coalesce((s.without ->> d.partition::text)::bigint, 0))`,
    [[...new Set(removed.map((member) => member.adapter))]],
  );
  const isWorth = ({ count }: { count: number }) =>
    rows.length <= MAX_SUBTRACTIONS && count >= SUBTRACT_FROM * unknowns(shape);
  await client.query('DELETE FROM adapter_statistics WHERE adapter = ANY($1)', [
    rows.filter((row) => !isWorth(row)).map(({ adapter }) => adapter),
  ]);
  for (const { adapter } of rows.filter(isWorth)) {
    const members = removed.filter((member) => member.adapter === adapter);
    await subtract(client, kernel, shape, adapter, members);
    await client.query(
      `UPDATE adapter_statistics SET without = without || jsonb_build_object($2::text, $3::text)
       WHERE adapter = $1`,
      [adapter, last.partition, last.position + 1n],
    );
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
  const summed = removed.filter((member) => isBefore(member, kept.through));
  if (summed.length === 0) return;
  const { count, sums } = accumulate(kernel, kept.statistics, shape, rowsOf(summed, shape), -1);
  await client.query('UPDATE adapter_statistics SET count = $2, sums = $3 WHERE adapter = $1', [
    adapter,
    count,
    encodeStatistics({ count, sums }),
  ]);
}

/** Content of members as the kernel takes it. */
export function rowsOf(
  members: readonly Pick<RemovedMember, 'encoding' | 'label'>[],
  { dimension }: Shape,
): Rows {
  const encodings = new Int8Array(members.length * dimension);
  members.forEach(({ encoding }, i) => {
    encodings.set(encoding, i * dimension);
  });
  return { encodings, labels: members.map(({ label }) => label) };
}

/** An adapter built at a cut. `builtIn`: the version that it was built in before. */
export type BuiltAt = {
  readonly adapter: number;
  readonly builtIn: number | null;
  readonly cut: Positions;
  /** How often keys that are samples had changed then. */
  readonly generation: bigint;
};

/** New sums, or where those are that are kept, or none. */
export type NewSums = Statistics | Pick<KeptStatistics, 'through' | 'without'> | null;

/**
 * Keeps new sums over the members at a cut, unless a member was taken away since (it is not to be written
 * again), another build has overtaken this one, samples have moved by other keys (`generation`), or a replay
 * has begun since. Where they are those that are kept, `sums` says where these were found; null: none are to be
 * kept. In a transaction of its own, before or after the version is committed: if it never is, they never hold.
 */
export async function keepStatistics(
  client: ClientBase,
  { adapter, builtIn, cut, generation }: BuiltAt,
  sums: NewSums,
): Promise<void> {
  await lockAdapters(client, [adapter]);
  const known = [adapter, JSON.stringify(cut), builtIn, generation];
  if (sums === null) {
    await client.query('DELETE FROM adapter_statistics WHERE adapter = $1', [adapter]);
  } else if ('sums' in sums) {
    const { rowCount } = await queryPrepared(
      client,
      `WITH still AS (SELECT FROM adapters a WHERE ${STILL}),
         former AS (DELETE FROM adapter_statistics WHERE adapter = $1 AND EXISTS (SELECT FROM still))
       SELECT FROM still`,
      known,
    );
    if (rowCount) await copyStatistics(client, adapter, cut, sums);
  } else {
    await client.query(
      `UPDATE adapter_statistics s SET through = $2::jsonb, without = $2::jsonb FROM adapters a
       WHERE ${STILL} AND s.adapter = $1 AND s.through = $5::jsonb AND s.without = $6::jsonb`,
      [...known, JSON.stringify(sums.through), JSON.stringify(sums.without)],
    );
  }
}

/** By COPY, where a parameter of a megabyte is copied half a dozen times on its way to the socket. */
async function copyStatistics(
  client: ClientBase,
  adapter: number,
  cut: Positions,
  statistics: Statistics,
): Promise<void> {
  const sums = encodeStatistics(statistics);
  const through = JSON.stringify(cut);
  const row = new CopyRows(6 * through.length + 64)
    .row(5)
    .int4(adapter)
    .jsonb(through)
    .jsonb(through)
    .int4(statistics.count)
    .byteaOf(sums.length);
  const columns = 'adapter, through, without, count, sums';
  await copyInto(client, `adapter_statistics (${columns})`, row.bytes(), sums);
}

/** The adapter is the one that the build began with or made, and nothing was taken away or has moved since. */
const STILL = `a.adapter = $1
  AND (a.version IS NOT DISTINCT FROM $3::int
       OR $2::jsonb = (SELECT cut FROM versions WHERE version = a.version))
  AND NOT EXISTS (SELECT FROM dirty_adapters d WHERE d.adapter = $1
                  AND d.removed >= coalesce(($2::jsonb ->> d.partition::text)::bigint, 0))
  AND NOT EXISTS (SELECT FROM offsets o WHERE o.position < ($2::jsonb ->> o.partition::text)::bigint)
  AND NOT EXISTS (SELECT FROM placement WHERE generation <> $4)`;

/** Removes sums that do not hold any more, which a process that died has left. */
export async function dropOldStatistics(client: Queryable): Promise<void> {
  await client.query(
    `DELETE FROM adapter_statistics s USING adapters a
     WHERE a.adapter = s.adapter AND (${HOLDS}) IS NOT TRUE`,
  );
}
