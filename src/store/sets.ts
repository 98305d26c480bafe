import type { ClientBase } from 'pg';
import type { HashPairs } from '../audit/sets/hash-pairs.js';
import { type Pages, pageId, pagesFor, type SetState } from '../audit/sets/pages.js';
import type { SetProof } from '../audit/sets/proof.js';
import { proveFromPages } from '../audit/sets/prove.js';
import {
  EMPTY_SET,
  pagesForUpdate,
  type SetChanges,
  type SetUpdate,
  updateSet,
} from '../audit/sets/update.js';
import { copyRows } from './copy.js';
import type { Queryable } from './database.js';
import { nodeHashPairs } from './hash-pairs.js';
import { type SetWrite, writeSets } from './sets-write.js';

/*
 * Training sets as sparse Merkle trees: one for each adapter, and one for all that is retained. See
 * audit/sets/pages.ts for how they are cut into rows.
 */

/** The whole retained set, where a set is named by its adapter. */
export const RETAINED_SET = -1;

/** An update computed and not written; `writeSets` writes it. By set. */
export type PreparedSets = ReadonlyMap<number, SetWrite>;

/** The states of all sets, by set. One that never had an entry is not there. */
export async function readSetStates(client: Queryable): Promise<Map<number, SetState>> {
  const { rows } = await client.query<SetRow>('SELECT set, depth, count, root FROM sets');
  return statesOf(rows);
}

/**
 * Reads and computes; writes nothing, so a read-only snapshot will do. Give it one (REPEATABLE READ): it
 * asks twice. All changes are in memory, and all entries of a set that will grow: to make large sets from
 * nothing take `rebuildSets`. Throws `set_corrupt` if an entry to remove is not in its set, or one to add is.
 */
export async function prepareSets(
  client: ClientBase,
  changes: ReadonlyMap<number, SetChanges>,
  hash: HashPairs = nodeHashPairs,
): Promise<PreparedSets> {
  const states = await readStates(client, [...changes.keys()]);
  return (await prepareFrom(client, states, changes, hash)).prepared;
}

/** The same from states that are known, and the pages that were read: proofs of the sets as they were. */
export async function prepareFrom(
  client: ClientBase,
  states: ReadonlyMap<number, SetState>,
  changes: ReadonlyMap<number, SetChanges>,
  hash: HashPairs,
): Promise<{ readonly prepared: PreparedSets; readonly pages: ReadonlyMap<number, Pages> }> {
  const wanted: Wanted = { pages: [], buckets: [] };
  for (const [set, change] of changes) {
    const pages = pagesForUpdate(states.get(set) ?? EMPTY_SET, change);
    if (pages === 'buckets') wanted.buckets.push(set);
    else for (const { level, index } of pages) wanted.pages.push([set, level, index]);
  }
  const pages = await readPages(client, wanted);
  const prepared = new Map<number, SetWrite>();
  for (const [set, change] of changes) {
    const former = states.get(set) ?? null;
    const update: SetUpdate = updateSet(
      former ?? EMPTY_SET,
      pages.get(set) ?? NO_PAGES,
      change,
      hash,
    );
    prepared.set(set, { former, ...update });
  }
  return { prepared, pages };
}

/** `prepareSets` and `writeSets` at once, for callers in one REPEATABLE READ transaction. */
export async function updateSets(
  client: ClientBase,
  changes: ReadonlyMap<number, SetChanges>,
  hash: HashPairs = nodeHashPairs,
): Promise<Map<number, SetState>> {
  const prepared = await prepareSets(client, changes, hash);
  await writeSets(client, prepared);
  return new Map([...prepared].map(([set, { state }]) => [set, state]));
}

/** Which key is looked for in which set. */
export type SetQuestion = { readonly set: number; readonly key: Uint8Array };

/** A proof, and the state whose root it leads to. */
export type ProofInSet = { readonly state: SetState; readonly proof: SetProof };

/**
 * That each key is in its set, or that it is not, in the order asked. Give it a REPEATABLE READ snapshot:
 * it asks twice. Throws `set_corrupt` if a proof does not lead to its set's root.
 */
export async function proveInSets(
  client: ClientBase,
  questions: readonly SetQuestion[],
  hash: HashPairs = nodeHashPairs,
): Promise<ProofInSet[]> {
  const states = await readStates(client, [...new Set(questions.map(({ set }) => set))]);
  const wanted: Wanted = { pages: [], buckets: [] };
  for (const { set, key } of questions) {
    const { depth } = states.get(set) ?? EMPTY_SET;
    for (const { level, index } of pagesFor(depth, key)) wanted.pages.push([set, level, index]);
  }
  const pages = await readPages(client, wanted);
  return questions.map(({ set, key }) => {
    const state = states.get(set) ?? EMPTY_SET;
    return { state, proof: proveFromPages(state, pages.get(set) ?? NO_PAGES, key, hash) };
  });
}

const NO_PAGES: Pages = new Map();

type SetRow = { set: number; depth: number; count: bigint; root: Buffer };

const statesOf = (rows: readonly SetRow[]): Map<number, SetState> =>
  new Map(
    rows.map(({ set, depth, count, root }) => [
      set,
      { depth, count: Number(count), root: new Uint8Array(root) },
    ]),
  );

async function readStates(client: Queryable, sets: number[]): Promise<Map<number, SetState>> {
  const { rows } = await client.query<SetRow>(
    'SELECT set, depth, count, root FROM sets WHERE set = ANY ($1)',
    [sets],
  );
  return statesOf(rows);
}

type Wanted = {
  readonly pages: (readonly [set: number, level: number, page: number])[];
  /** Sets of which all pages of level 0 are wanted. */
  readonly buckets: number[];
};

async function readPages(client: ClientBase, wanted: Wanted): Promise<Map<number, Pages>> {
  const found = new Map<number, Map<number, Uint8Array>>();
  if (wanted.pages.length + wanted.buckets.length === 0) return found;
  for (const [set, level, page, bytes] of await copyRows(client, pagesQuery(wanted))) {
    const key = (set as Buffer).readInt32BE();
    const pages = found.get(key) ?? new Map<number, Uint8Array>();
    found.set(key, pages);
    const { buffer, byteOffset, length } = bytes as Buffer;
    pages.set(
      pageId((level as Buffer).readInt16BE(), (page as Buffer).readInt32BE()),
      new Uint8Array(buffer, byteOffset, length),
    );
  }
  return found;
}

/** By the index, page by page, whatever the planner thinks of the table: it may have grown a moment ago. */
export function pagesQuery({ pages, buckets }: Wanted): string {
  const column = (i: 0 | 1 | 2) => `'{${pages.map((page) => page[i]).join()}}'`;
  const single = `SELECT p.set, p.level, p.page, p.bytes
    FROM unnest(${column(0)}::int[], ${column(1)}::smallint[], ${column(2)}::int[]) AS w(set, level, page)
    CROSS JOIN LATERAL (SELECT * FROM set_pages
                        WHERE set = w.set AND level = w.level AND page = w.page LIMIT 1) AS p`;
  if (buckets.length === 0) return single;
  return `${single} UNION ALL SELECT set, level, page, bytes FROM set_pages
    WHERE set = ANY ('{${buckets.join()}}'::int[]) AND level = 0`;
}
