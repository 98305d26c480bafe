import { isDeepStrictEqual } from 'node:util';
import type { ClientBase } from 'pg';
import { encodeSetProof } from '../audit/sets/encoding.js';
import { ENTRY_BYTES, KEY_BYTES } from '../audit/sets/entries.js';
import { type Pages, pageId, pagesFor, type SetState } from '../audit/sets/pages.js';
import { proveFromPages } from '../audit/sets/prove.js';
import { EMPTY } from '../audit/sets/tree.js';
import type { SetChanges } from '../audit/sets/update.js';
import { LegonetError } from '../errors.js';
import { loadHashPairs } from '../kernel/hash-pairs.js';
import { type Database, transaction } from '../store/database.js';
import { forgetSeals } from '../store/saved-seals.js';
import {
  type PreparedSets,
  prepareFrom,
  proveInSets,
  RETAINED_SET,
  readSetStates,
} from '../store/sets.js';
import { rebuildSets, type WholeSet } from '../store/sets-write.js';
import { type BuildPlan, type Cut, cutJson } from './plan.js';
import { takeStates } from './remembered-sets.js';
import { adaptersOf, moves, PAGE, readPage, readSealed, removals, type Sealed } from './sealed.js';

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
  /** That the samples to go were in the last version's retained set. */
  readonly held: readonly Held[];
};

export type Held = { readonly key: Uint8Array; readonly proof: Uint8Array };

/** Reads and computes in the build's snapshot. Only where there are no sets yet they are made and written. */
export async function setsAt(
  client: ClientBase,
  database: Database,
  { cut, setCut, latest, digests }: BuildPlan,
): Promise<SetsAtCut> {
  if (!setCut) {
    const states = await makeSets(client, database, cut, digests.length);
    return { states, prepared: new Map(), held: [] };
  }
  const changes = new Changes();
  for await (const page of readBetween(client, setCut, cut)) changes.add(page);
  const gone = await readPage(client, removals(setCut, cut));
  changes.remove(gone);
  changes.remove(await readPage(client, moves('m')));
  changes.add(await readPage(client, moves('s')));
  const states = await statesAt(client, database, setCut);
  const { prepared, pages } = await prepareFrom(client, states, changes.bySet(), await hashPairs());
  // After a replay that no version has followed yet, the sets are not the last version's.
  const former = states.get(RETAINED_SET);
  const same = former && latest?.retainedRoot?.equals(former.root);
  const held = same ? await proveHeld(client, former, pages, keysOf(gone)) : [];
  for (const [set, { state }] of prepared) states.set(set, state);
  return { states, prepared, held };
}

async function statesAt(client: ClientBase, database: Database, cut: Cut) {
  const known = takeStates(database);
  if (known && isDeepStrictEqual(known.cut, cut)) return new Map(known.states);
  return readSetStates(client);
}

async function proveHeld(
  client: ClientBase,
  former: SetState,
  pages: ReadonlyMap<number, Pages>,
  keys: readonly Uint8Array[],
): Promise<Held[]> {
  const own = pages.get(RETAINED_SET);
  const hash = await hashPairs();
  // A set that is to grow was read by its buckets alone.
  const isWhole =
    own && pagesFor(former.depth, keys[0] ?? EMPTY).every((p) => own.has(pageId(p.level, p.index)));
  if (isWhole) {
    return keys.map((key) => ({
      key,
      proof: encodeSetProof(proveFromPages(former, own, key, hash)),
    }));
  }
  const proofs = await proveInSets(
    client,
    keys.map((key) => ({ set: RETAINED_SET, key })),
    hash,
  );
  return proofs.map(({ proof }, i) => ({ key: keys[i] ?? EMPTY, proof: encodeSetProof(proof) }));
}

let loaded: ReturnType<typeof loadHashPairs> | undefined;

/** SHA-256 in WebAssembly, compiled once. */
export const hashPairs = () => {
  loaded ??= loadHashPairs();
  return loaded;
};

/** Content that came between the cuts and is there still. */
async function* readBetween(client: ClientBase, from: Cut, to: Cut): AsyncIterable<Sealed> {
  for (const [partition, position] of Object.entries(to)) {
    yield* readSealed(client, Number(partition), from[partition] ?? 0n, position);
  }
}

/** What comes into each set and what goes, as it is met. */
class Changes {
  readonly #added = new Map<number, Uint8Array[]>();
  readonly #removed = new Map<number, Uint8Array[]>();

  add(page: Sealed): void {
    for (let i = 0; i < rowsOf(page); i++) {
      const entry = entryAt(page, i);
      for (const set of [RETAINED_SET, ...adaptersOf(page, i)]) push(this.#added, set, entry);
    }
  }

  remove(page: Sealed): void {
    keysOf(page).forEach((key, i) => {
      for (const set of [RETAINED_SET, ...adaptersOf(page, i)]) push(this.#removed, set, key);
    });
  }

  bySet(): Map<number, SetChanges> {
    const sets = new Set([...this.#added.keys(), ...this.#removed.keys()]);
    return new Map(
      [...sets].map((set) => [
        set,
        {
          add: joined(this.#added.get(set), ENTRY_BYTES),
          remove: joined(this.#removed.get(set), KEY_BYTES),
        },
      ]),
    );
  }
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

const rowsOf = ({ entries }: Sealed): number => entries.length / ENTRY_BYTES;
const entryAt = ({ entries }: Sealed, i: number): Uint8Array =>
  entries.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES);
const keysOf = (page: Sealed): Uint8Array[] =>
  Array.from({ length: rowsOf(page) }, (_, i) => entryAt(page, i).subarray(0, KEY_BYTES));

/** All sets from all samples of the snapshot; written at once, in a transaction of their own. */
async function makeSets(
  client: ClientBase,
  database: Database,
  cut: Cut,
  adapters: number,
): Promise<Map<number, SetState>> {
  const pages: Sealed[] = [];
  for await (const page of readBetween(client, {}, cut)) pages.push(page);
  return transaction(database.pool, async (tx) => {
    // First, for whoever else is about to make them waits here, and finds them made.
    const { rowCount } = await tx.query(
      'INSERT INTO set_cut (cut) VALUES ($1) ON CONFLICT DO NOTHING',
      [JSON.stringify(cutJson(cut))],
    );
    if (rowCount !== 1) {
      throw new LegonetError('build_overtaken', 'another builder has made the sets', 'retryable');
    }
    await forgetSeals(tx);
    return rebuildSets(tx, wholeSets(pages, adapters), await hashPairs());
  });
}

/** One set after the other: its entries are gathered when it is asked for. */
function* wholeSets(pages: readonly Sealed[], adapters: number): Generator<WholeSet> {
  yield { set: RETAINED_SET, entries: Buffer.concat(pages.map(({ entries }) => entries)) };
  const members = membersOf(pages, adapters);
  for (const [set, own] of members.entries()) {
    const entries = new Uint8Array(own.length * ENTRY_BYTES);
    own.forEach((place, i) => {
      const page = pages[Math.floor(place / PAGE)] as Sealed;
      entries.set(entryAt(page, place % PAGE), i * ENTRY_BYTES);
    });
    yield { set, entries };
  }
}

/** Where the members of each adapter are: page and row in one number. */
function membersOf(pages: readonly Sealed[], adapters: number): Uint32Array[] {
  const counts = new Int32Array(adapters);
  for (const page of pages) {
    for (const adapter of page.adapters) (counts[adapter] as number)++;
  }
  const members = Array.from(counts, (count) => new Uint32Array(count));
  counts.fill(0);
  pages.forEach((page, at) => {
    page.adapters.forEach((adapter, i) => {
      const place = at * PAGE + Math.floor(i / page.width);
      (members[adapter] as Uint32Array)[(counts[adapter] as number)++] = place;
    });
  });
  return members;
}
