import type { ClientBase } from 'pg';
import { buildSet } from '../audit/sets/build.js';
import type { HashPairs } from '../audit/sets/hash-pairs.js';
import { type PageChanges, pageAddress, type SetState } from '../audit/sets/pages.js';
import { LegonetError } from '../errors.js';
import { byteaArray, int2Array, int4Array, int8Array } from './arrays.js';
import { copyInto } from './copy.js';
import { CopyRows } from './copy-rows.js';
import { type Queryable, queryPrepared } from './database.js';
import { nodeHashPairs } from './hash-pairs.js';

/** What becomes of one set. */
export type SetWrite = {
  /** The state that this was computed from; null: there was no set. */
  readonly former: SetState | null;
  readonly state: SetState;
  readonly pages: PageChanges;
  /** No page of before is left but those in `pages`. */
  readonly rewritten: boolean;
};

/**
 * Writes what `prepareSets` computed, in the caller's transaction. Throws `set_overtaken`, retryable, if a
 * set is not any more what it was computed from; the transaction must then be rolled back.
 */
export async function writeSets(
  client: ClientBase,
  prepared: ReadonlyMap<number, SetWrite>,
): Promise<void> {
  const written = [...prepared].filter(([, { former, pages }]) => !former || pages.size > 0);
  if (written.length === 0) return;
  const rewritten = written.filter(([, { rewritten }]) => rewritten).map(([set]) => set);
  await writeChanges(client, written);
  if (rewritten.length === 0) return;
  await client.query('DELETE FROM set_pages WHERE set = ANY ($1)', [rewritten]);
  for (const set of rewritten) {
    await copyPages(client, set, (prepared.get(set) as SetWrite).pages);
  }
}

/** A set from all its entries (64 bytes each, flat). */
export type WholeSet = { readonly set: number; readonly entries: Uint8Array };

/**
 * Makes sets anew from all their entries, one after the other, whatever there was of them; others stay.
 * Needs memory for one set at a time, three times its entries. Throws `set_corrupt` if one key comes twice.
 */
export async function rebuildSets(
  client: ClientBase,
  sets: AsyncIterable<WholeSet> | Iterable<WholeSet>,
  hash: HashPairs = nodeHashPairs,
): Promise<Map<number, SetState>> {
  const states = new Map<number, SetState>();
  for await (const { set, entries } of sets) {
    const { state, pages } = buildSet(entries, hash);
    await client.query('DELETE FROM set_pages WHERE set = $1', [set]);
    await copyPages(client, set, pages);
    await client.query(
      `INSERT INTO sets (set, depth, count, root) VALUES ($1, $2, $3, $4)
       ON CONFLICT (set) DO UPDATE
         SET depth = excluded.depth, count = excluded.count, root = excluded.root`,
      [set, state.depth, state.count, Buffer.from(state.root)],
    );
    states.set(set, state);
  }
  return states;
}

type Written = readonly (readonly [set: number, write: SetWrite])[];

/** All states, and the pages of the sets that were not written anew. */
async function writeChanges(client: Queryable, sets: Written): Promise<void> {
  const changes = sets.flatMap(([set, { pages, rewritten }]) =>
    rewritten ? [] : [...pages].map(([id, bytes]) => ({ set, ...pageAddress(id), bytes })),
  );
  const kept = changes.filter(({ bytes }) => bytes !== null);
  const gone = changes.filter(({ bytes }) => bytes === null);
  const { rows } = await queryPrepared<{ states: number }>(client, WRITE, [
    int4Array(sets.map(([set]) => set)),
    int2Array(sets.map(([, { state }]) => state.depth)),
    int8Array(sets.map(([, { state }]) => BigInt(state.count))),
    byteaArray(sets.map(([, { state }]) => state.root)),
    int8Array(sets.map(([, { former }]) => (former ? BigInt(former.count) : null))),
    byteaArray(sets.map(([, { former }]) => former?.root ?? null)),
    int2Array(sets.map(([, { former }]) => former?.depth ?? null)),
    int4Array(kept.map(({ set }) => set)),
    int2Array(kept.map(({ level }) => level)),
    int4Array(kept.map(({ index }) => index)),
    byteaArray(kept.map(({ bytes }) => bytes)),
    int4Array(gone.map(({ set }) => set)),
    int2Array(gone.map(({ level }) => level)),
    int4Array(gone.map(({ index }) => index)),
  ]);
  if (rows[0]?.states === sets.length) return;
  throw new LegonetError(
    'set_overtaken',
    'another builder has changed the sets first',
    'retryable',
  );
}

/** A set is compared and swapped: its pages were computed from the former state, and fit no other. */
const WRITE = `
  WITH new AS (
    SELECT * FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[],
                         $7::smallint[])
      AS n(set, depth, count, root, former_count, former_root, former_depth)
  ), swapped AS (
    UPDATE sets s SET depth = n.depth, count = n.count, root = n.root FROM new n
    WHERE s.set = n.set AND s.count = n.former_count AND s.root = n.former_root AND s.depth = n.former_depth
    RETURNING 1
  ), made AS (
    INSERT INTO sets (set, depth, count, root)
    SELECT set, depth, count, root FROM new WHERE former_root IS NULL
    ON CONFLICT DO NOTHING RETURNING 1
  ), written AS (
    INSERT INTO set_pages (set, level, page, bytes)
    SELECT * FROM unnest($8::int[], $9::smallint[], $10::int[], $11::bytea[])
    ON CONFLICT (set, level, page) DO UPDATE SET bytes = excluded.bytes
  ), gone AS (
    DELETE FROM set_pages p USING unnest($12::int[], $13::smallint[], $14::int[]) AS g(set, level, page)
    WHERE p.set = g.set AND p.level = g.level AND p.page = g.page
  )
  SELECT ((SELECT count(*) FROM swapped) + (SELECT count(*) FROM made))::int AS states`;

/** A COPY at a time; it is kept in memory. */
const COPY_PAGES = 4096;

async function copyPages(client: ClientBase, set: number, pages: PageChanges): Promise<void> {
  let rows = new CopyRows();
  let count = 0;
  const flush = async () => {
    await copyInto(client, 'set_pages (set, level, page, bytes)', rows.bytes());
    rows = new CopyRows();
    count = 0;
  };
  for (const [id, bytes] of pages) {
    const { level, index } = pageAddress(id);
    rows.row(4).int4(set).int2(level).int4(index).bytea(bytes);
    if (++count === COPY_PAGES) await flush();
  }
  if (count > 0) await flush();
}
