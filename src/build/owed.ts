import type { Database, Queryable } from '../store/database.js';
import { type RemovedContent, removedContent } from '../store/removed-members.js';
import { isBefore, type KeptStatistics } from '../store/statistics.js';
import type { DirtyAdapter } from './plan.js';

type Place = { readonly partition: number; readonly position: bigint };

/** A member that kept statistics may still hold: by which record it was taken away, and its own. */
export type Owed = {
  readonly by: Place;
  readonly at: Place;
  /** Null where nobody has handed it over. */
  readonly content: RemovedContent | null;
};

/** With more removals than this, adapters are rather summed afresh. */
const MAX_OWED = 64;

type Row = {
  partition: number;
  position: bigint;
  content_partition: number;
  content_position: bigint;
  adapters: number[] | null;
};

/** The same adapters, with what is to be subtracted from their kept statistics, as the build's snapshot has it. */
export async function withOwed(
  client: Queryable,
  database: Database,
  dirty: readonly DirtyAdapter[],
): Promise<readonly DirtyAdapter[]> {
  if (!dirty.some(({ owes }) => owes)) return dirty;
  const { rows } = await client.query<Row>(
    `SELECT partition, position, content_partition, content_position, adapters FROM removals
     LIMIT ${MAX_OWED + 1}`,
  );
  if (rows.length > MAX_OWED) return dirty;
  const owed = new Map<number, Owed[]>();
  for (const row of rows) {
    const at = { partition: row.content_partition, position: row.content_position };
    const by = { partition: row.partition, position: row.position };
    const one = { by, at, content: removedContent(database, at) };
    for (const adapter of row.adapters ?? []) {
      owed.set(adapter, [...(owed.get(adapter) ?? []), one]);
    }
  }
  return dirty.map((one) =>
    one.owes ? { ...one, kept: true, owed: owed.get(one.adapter) ?? [] } : one,
  );
}

/** Of what is owed, what these sums still hold; null if the content of one is not known. */
export function heldStill(
  owed: readonly Owed[],
  { through, without }: KeptStatistics,
): RemovedContent[] | null {
  const held = owed.filter(({ by, at }) => isBefore(at, through) && !isBefore(by, without));
  const contents = held.flatMap(({ content }) => content ?? []);
  return contents.length === held.length ? contents : null;
}
