import type { ClientBase } from 'pg';
import { equalBytes } from '../audit/bytes.js';
import { encodeLeaf } from '../audit/leaves.js';
import { membershipSalt, sealAdapters } from '../projection/seals.js';
import { insertMemberships } from '../projection/write-samples.js';
import { byteaArray, int4Array, int8Array, textArray } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { queueEntries } from '../store/tlog-queue.js';
import type { Cut } from './plan.js';

/** A sample's new adapters, nearest first. */
export type NewPlace = { readonly position: bigint; readonly adapters: readonly number[] };

/** A sample that has other adapters than before, or had none. */
export type Placed = {
  readonly at: { readonly partition: number; readonly position: bigint };
  /** None: it was not placed. */
  readonly from: readonly number[];
  readonly adapters: readonly number[];
};

type Row = {
  position: bigint;
  sample_id: string;
  unplaced: boolean;
  adapters: number[];
  salt: Buffer;
  commitment: Buffer;
  membership: Buffer;
  logged: boolean;
};

/** A row with its new adapters, and what they are committed to. */
type Change = Row & { readonly to: readonly number[]; readonly sealed: Uint8Array };

/**
 * Gives samples of a partition their new adapters: rows, memberships, entries of the audit log. What the training
 * sets have of those that move is kept until a version is built. `setCut`: where the sets are.
 */
export async function writePlaced(
  client: ClientBase,
  partition: number,
  places: readonly NewPlace[],
  setCut: Cut | null,
): Promise<Placed[]> {
  const to = new Map(places.map(({ position, adapters }) => [position, adapters]));
  const { rows } = await client.query<Row>(
    `SELECT position, sample_id, unplaced, adapters, salt, commitment, membership,
            leaf_batch IS NOT NULL AS logged
     FROM samples WHERE partition = $1 AND position = ANY($2::int8[]) ORDER BY position`,
    [partition, int8Array([...to.keys()])],
  );
  const changes = rows.map((row): Change => {
    const adapters = to.get(row.position) ?? [];
    return { ...row, to: adapters, sealed: sealAdapters(membershipSalt(row.salt), adapters) };
  });
  const inSets = setCut?.[partition] ?? 0n;
  await keepFormer(
    client,
    changes.filter(({ unplaced, position }) => !unplaced && position < inSets),
  );
  await updateSamples(client, partition, changes, await logMoves(client, changes));
  const placed = changes.map(({ position, unplaced, adapters, to }): Placed => {
    return { at: { partition, position }, from: unplaced ? [] : adapters, adapters: to };
  });
  await deleteMemberships(client, placed);
  await insertMemberships(
    client,
    placed.map((one) => ({ ...one, adapters: without(one.adapters, one.from) })),
  );
  return placed;
}

const without = (some: readonly number[], others: readonly number[]): number[] =>
  some.filter((adapter) => !others.includes(adapter));

/** The first time since the sets' cut: that is what they have. */
async function keepFormer(client: Queryable, moved: readonly Change[]): Promise<void> {
  if (moved.length === 0) return;
  await client.query(
    `INSERT INTO moves (commitment, sample_id, membership, adapters)
     SELECT commitment, sample_id, membership, adapters::int[]
     FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::text[])
       AS m(commitment, sample_id, membership, adapters)
     ON CONFLICT DO NOTHING`,
    [
      byteaArray(moved.map(({ commitment }) => commitment)),
      textArray(moved.map(({ sample_id }) => sample_id)),
      byteaArray(moved.map(({ membership }) => membership)),
      textArray(moved.map(({ adapters }) => `{${adapters.join(',')}}`)),
    ],
  );
}

type Logged = { readonly batch: bigint | null; readonly entryOf: ReadonlyMap<Change, number> };

/**
 * The same content with another membership goes and comes again. Its salt and commitment stay: a receipt still
 * opens it, and what a replay places as before is in the log already.
 */
async function logMoves(client: Queryable, changes: readonly Change[]): Promise<Logged> {
  const entries: Uint8Array[] = [];
  const entryOf = new Map<Change, number>();
  for (const change of changes) {
    const { logged, commitment, membership, sealed } = change;
    if (logged && equalBytes(membership, sealed)) continue;
    if (logged) entries.push(encodeLeaf({ kind: 'delete', commitment, request: null }));
    const leaf = encodeLeaf({ kind: 'ingest', commitment, membership: sealed });
    entryOf.set(change, entries.push(leaf) - 1);
  }
  const batch = entries.length > 0 ? await queueEntries(client, entries) : null;
  return { batch, entryOf };
}

async function updateSamples(
  client: Queryable,
  partition: number,
  changes: readonly Change[],
  { batch, entryOf }: Logged,
): Promise<void> {
  await client.query(
    `UPDATE samples s
     SET unplaced = false, adapters = n.adapters::int[], membership = n.membership,
         leaf_batch = CASE WHEN n.entry IS NULL THEN s.leaf_batch ELSE $2 END,
         leaf_entry = coalesce(n.entry, s.leaf_entry)
     FROM unnest($3::int8[], $4::text[], $5::bytea[], $6::int[])
       AS n(position, adapters, membership, entry)
     WHERE s.partition = $1 AND s.position = n.position`,
    [
      partition,
      batch,
      int8Array(changes.map(({ position }) => position)),
      textArray(changes.map(({ to }) => `{${to.join(',')}}`)),
      byteaArray(changes.map(({ sealed }) => sealed)),
      int4Array(changes.map((change) => entryOf.get(change) ?? null)),
    ],
  );
}

async function deleteMemberships(client: Queryable, placed: readonly Placed[]): Promise<void> {
  const left = placed.flatMap(({ at, from, adapters }) =>
    without(from, adapters).map((adapter) => ({ adapter, ...at })),
  );
  if (left.length === 0) return;
  await client.query(
    `DELETE FROM memberships m
     USING unnest($1::int[], $2::int[], $3::int8[]) AS r(adapter, partition, position)
     WHERE m.adapter = r.adapter AND m.partition = r.partition AND m.position = r.position`,
    [
      int4Array(left.map(({ adapter }) => adapter)),
      int4Array(left.map(({ partition }) => partition)),
      int8Array(left.map(({ position }) => position)),
    ],
  );
}
