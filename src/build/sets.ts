import { hash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { ENTRY_BYTES, KEY_BYTES } from '../audit/sets/entries.js';
import type { SetState } from '../audit/sets/pages.js';
import type { SetChanges } from '../audit/sets/update.js';
import { LegonetError } from '../errors.js';
import { copyRows, type RawRow } from '../store/copy.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { type PreparedSets, prepareSets, RETAINED_SET, readSetStates } from '../store/sets.js';
import { rebuildSets, writeSets } from '../store/sets-write.js';
import { type Cut, cutJson } from './plan.js';

/*
 * The training sets of a version, brought from the cut that they are at to the version's own. They follow
 * the members by position, as the adapters do.
 */

/** The sets as of a build's cut. */
export type SetsAtCut = {
  /** Of every adapter that has or had members, and of the retained set. */
  readonly states: ReadonlyMap<number, SetState>;
  /** Still to be written, with the version. */
  readonly prepared: PreparedSets;
  /** Commitments of samples that were in the retained set and are not any more. */
  readonly removed: readonly Uint8Array[];
};

/** Reads and computes in the build's snapshot. Only where there are no sets yet they are made and written. */
export async function setsAt(
  client: ClientBase,
  database: Database,
  cut: Cut,
  adapters: number,
): Promise<SetsAtCut> {
  const known = await readSetCut(client);
  if (!known) return { states: await makeSets(client, database, cut, adapters), ...NOTHING };
  const members = await copyRows(client, added(known, cut));
  const gone = await copyRows(client, removed(known, cut));
  const prepared = await prepareSets(client, changesOf(members, gone));
  const states = await readSetStates(client);
  for (const [set, { state }] of prepared) states.set(set, state);
  return { states, prepared, removed: gone.map((row) => field(row, 0)) };
}

const NOTHING = { prepared: new Map(), removed: [] };

/** Writes them in the version's transaction. Throws `set_overtaken` (retryable) if another has come first. */
export async function writeSetsAt(
  client: ClientBase,
  { prepared }: SetsAtCut,
  cut: Cut,
): Promise<void> {
  await writeSets(client, prepared);
  await client.query('UPDATE set_cut SET cut = $1', [JSON.stringify(cutJson(cut))]);
}

async function readSetCut(client: Queryable): Promise<Cut | null> {
  const { rows } = await client.query<{ cut: Record<string, string> }>('SELECT cut FROM set_cut');
  const [row] = rows;
  if (!row) return null;
  return Object.fromEntries(Object.entries(row.cut).map(([p, at]) => [p, BigInt(at)]));
}

/** Content that came between the cuts and is there still: commitment, membership, adapters. */
function added(from: Cut, to: Cut): string {
  const parts = Object.entries(to).map(
    ([partition, position]) =>
      `SELECT commitment, membership, adapters FROM samples
       WHERE partition = ${Number(partition)} AND position < ${position}
         AND position >= ${from[partition] ?? 0n}`,
  );
  return parts.join(' UNION ALL ') || 'SELECT 1 WHERE false';
}

/** Content that was there at the first cut and is not at the second. */
function removed(from: Cut, to: Cut): string {
  const before = (cut: Cut, partition: string, position: string) =>
    Object.entries(cut)
      .map(([p, at]) => `(${partition} = ${Number(p)} AND ${position} < ${at})`)
      .join(' OR ') || 'false';
  return `SELECT commitment, membership, adapters FROM removals
    WHERE (${before(to, 'partition', 'position')})
      AND NOT (${before(from, 'partition', 'position')})
      AND (${before(from, 'content_partition', 'content_position')})`;
}

function changesOf(members: readonly RawRow[], gone: readonly RawRow[]): Map<number, SetChanges> {
  const add = new Map<number, Uint8Array[]>();
  const remove = new Map<number, Uint8Array[]>();
  for (const row of members) {
    const entry = entryOf(row);
    for (const set of setsOf(row)) push(add, set, entry);
  }
  for (const row of gone) {
    const key = keyOf(row);
    for (const set of setsOf(row)) push(remove, set, key);
  }
  const sets = new Set([...add.keys(), ...remove.keys()]);
  return new Map(
    [...sets].map((set) => [
      set,
      { add: joined(add.get(set), ENTRY_BYTES), remove: joined(remove.get(set), KEY_BYTES) },
    ]),
  );
}

function push(map: Map<number, Uint8Array[]>, set: number, bytes: Uint8Array): void {
  const list = map.get(set);
  if (list) list.push(bytes);
  else map.set(set, [bytes]);
}

function joined(rows: readonly Uint8Array[] = [], size: number): Uint8Array {
  const bytes = new Uint8Array(rows.length * size);
  rows.forEach((row, i) => {
    bytes.set(row, i * size);
  });
  return bytes;
}

function field(row: RawRow, at: number): Buffer {
  const value = row[at];
  if (value) return value;
  throw new LegonetError(
    'unsealed_sample',
    'samples from before there was an audit log are not in it yet: the role `project` puts them there',
    'retryable',
  );
}

const keyOf = (row: RawRow): Buffer => hash('sha256', field(row, 0), 'buffer');
const entryOf = (row: RawRow): Buffer => Buffer.concat([keyOf(row), field(row, 1)]);

/** The sets that a row's sample belongs to, from an int[] as COPY sends it. */
function setsOf(row: RawRow): number[] {
  const array = field(row, 2);
  const sets = [RETAINED_SET];
  for (let at = ARRAY_HEAD + 4; at < array.length; at += 8) sets.push(array.readInt32BE(at));
  return sets;
}

/** Dimensions, nulls, type, length, lower bound: 4 bytes each; then each element after its length. */
const ARRAY_HEAD = 20;

/** All sets from all samples of the snapshot; written at once, in a transaction of their own. */
async function makeSets(
  client: ClientBase,
  database: Database,
  cut: Cut,
  adapters: number,
): Promise<Map<number, SetState>> {
  const rows = await copyRows(client, 'SELECT commitment, membership, adapters FROM samples');
  const entries = joined(rows.map(entryOf), ENTRY_BYTES);
  const members: number[][] = Array.from({ length: adapters }, () => []);
  rows.forEach((row, i) => {
    for (const set of setsOf(row)) members[set]?.push(i);
  });
  function* sets() {
    yield { set: RETAINED_SET, entries };
    for (const [set, own] of members.entries()) {
      yield {
        set,
        entries: joined(
          own.map((i) => entryAt(entries, i)),
          ENTRY_BYTES,
        ),
      };
    }
  }
  return transaction(database.pool, async (tx) => {
    // First, for whoever else is about to make them waits here, and finds them made.
    const { rowCount } = await tx.query(
      'INSERT INTO set_cut (cut) VALUES ($1) ON CONFLICT DO NOTHING',
      [JSON.stringify(cutJson(cut))],
    );
    if (rowCount === 1) return rebuildSets(tx, sets());
    throw new LegonetError('build_overtaken', 'another builder has made the sets', 'retryable');
  });
}

const entryAt = (entries: Uint8Array, i: number): Uint8Array =>
  entries.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES);
