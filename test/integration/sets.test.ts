import type { PoolClient } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { equalBytes } from '#src/audit/bytes.js';
import { hashPairs } from '#src/audit/sets/hash-pairs.js';
import { verifyAbsence, verifyPresence } from '#src/audit/sets/proof.js';
import { type Entry, setRoot } from '#src/audit/sets/tree.js';
import type { SetChanges } from '#src/audit/sets/update.js';
import { type Database, openDatabase, transaction } from '#src/store/database.js';
import { nodeHashPairs } from '#src/store/hash-pairs.js';
import {
  pagesQuery,
  prepareSets,
  proveInSets,
  RETAINED_SET,
  readSetStates,
  updateSets,
} from '#src/store/sets.js';
import { rebuildSets, type WholeSet, writeSets } from '#src/store/sets-write.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { randomIntegers } from '../support/random.js';
import { flat, flatKeys, numbered, numberedFrom } from '../support/sets.js';

let testDatabase: TestDatabase;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});
beforeEach(() => database.pool.query('TRUNCATE sets, set_pages'));

const inSnapshot = <T>(work: (client: PoolClient) => Promise<T>): Promise<T> =>
  transaction(database.pool, work, 'ISOLATION LEVEL REPEATABLE READ');

const NONE = new Uint8Array(0);
const adding = (entries: readonly Entry[]): SetChanges => ({ add: flat(entries), remove: NONE });
const removing = (entries: readonly Entry[]): SetChanges => ({
  add: NONE,
  remove: flatKeys(entries),
});

/** What is proven of `entry` in `set`: throws unless the proof leads to `root`. */
async function isProvenIn(set: number, entry: Entry, root: Uint8Array): Promise<boolean> {
  const [answer] = await inSnapshot((client) => proveInSets(client, [{ set, key: entry.key }]));
  if (!answer) throw new Error('no answer');
  const { siblings } = answer.proof;
  if (answer.proof.present) verifyPresence({ ...entry, siblings, root });
  else verifyAbsence({ key: entry.key, siblings, other: answer.proof.other, root });
  return answer.proof.present;
}

/** Of pages, and how many of these changed no index. */
async function updatesSoFar(): Promise<{ updated: number; hot: number }> {
  // Each connection counts for itself, and tells it now and then.
  const clients = await Promise.all(
    Array.from({ length: database.pool.totalCount }, () => database.pool.connect()),
  );
  for (const client of clients) await client.query('SELECT pg_stat_force_next_flush()');
  for (const client of clients) client.release();
  const { rows } = await database.pool.query<{ updated: bigint; hot: bigint }>(
    `SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_user_tables
     WHERE relname = 'set_pages'`,
  );
  return { updated: Number(rows[0]?.updated ?? 0n), hot: Number(rows[0]?.hot ?? 0n) };
}

describe('sets in Postgres', () => {
  test('after random updates of several at a time are those of the definition, and prove it', async () => {
    const random = randomIntegers(5);
    const sets = new Map<number, Map<number, Entry>>(
      [RETAINED_SET, 0, 1, 7].map((s) => [s, new Map()]),
    );
    let next = 0;
    for (let round = 0; round < 25; round++) {
      const changes = new Map<number, SetChanges>();
      for (const [set, entries] of sets) {
        if (random(4) === 0) continue;
        // Grows to a thousand or so, then shrinks to few.
        const added = numberedFrom(next, next + random(round < 15 ? 150 : 5));
        const share = round < 15 ? 10 : 2;
        const gone = [...entries.keys()].filter(() => random(share) === 0);
        changes.set(set, {
          add: flat(added),
          remove: flatKeys(gone.map((i) => entries.get(i) as Entry)),
        });
        for (const i of gone) entries.delete(i);
        for (const entry of added) entries.set(next++, entry);
      }
      const returned = await inSnapshot((client) => updateSets(client, changes));
      const states = await readSetStates(database.pool);
      for (const [set, entries] of sets) {
        const state = states.get(set);
        if (changes.has(set)) expect(returned.get(set)).toEqual(state);
        expect(state?.count ?? 0).toBe(entries.size);
        const root = setRoot([...entries.values()]);
        if (state) expect(state.root).toEqual(root);
        const [kept] = entries.values();
        if (kept) expect(await isProvenIn(set, kept, root)).toBe(true);
        expect(await isProvenIn(set, numbered(-1 - round), root)).toBe(false);
      }
    }
    const { rows } = await database.pool.query<{ entries: number; pages: number }>(
      `SELECT set, (sum(length(bytes)) FILTER (WHERE level = 0) / 64)::int AS entries FROM set_pages
       GROUP BY set ORDER BY set`,
    );
    expect(rows.map(({ entries }) => entries)).toEqual(
      [...sets.values()].map(({ size }) => size).filter((size) => size > 0),
    );
  });

  test('are the same rebuilt from nothing as by updates, and leave other sets alone', async () => {
    const entries = numberedFrom(0, 3000);
    await inSnapshot((client) =>
      updateSets(
        client,
        new Map([
          [3, adding(entries)],
          [4, adding(numberedFrom(0, 5))],
        ]),
      ),
    );
    await inSnapshot((client) => updateSets(client, new Map([[3, removing(entries.slice(100))]])));
    const stream = async function* (): AsyncGenerator<WholeSet> {
      yield { set: 3, entries: flat(entries.slice(0, 100)) };
      yield { set: RETAINED_SET, entries: flat(entries) };
    };
    const rebuilt = await transaction(database.pool, (client) => rebuildSets(client, stream()));
    const states = await readSetStates(database.pool);
    expect([...states.keys()].sort()).toEqual([RETAINED_SET, 3, 4]);
    expect(rebuilt.get(3)).toEqual(states.get(3));
    expect(states.get(3)?.root).toEqual(setRoot(entries.slice(0, 100)));
    expect(states.get(RETAINED_SET)?.root).toEqual(setRoot(entries));
    expect(await isProvenIn(3, entries[50] as Entry, setRoot(entries.slice(0, 100)))).toBe(true);
    expect(await isProvenIn(3, entries[500] as Entry, setRoot(entries.slice(0, 100)))).toBe(false);
    expect(await isProvenIn(RETAINED_SET, entries[500] as Entry, setRoot(entries))).toBe(true);
  });

  test('that others changed since are not written: the transaction fails, and may be tried again', async () => {
    const entries = numberedFrom(0, 200);
    const prepare = (changes: SetChanges) =>
      inSnapshot((client) => prepareSets(client, new Map([[1, changes]])));
    const write = (prepared: Awaited<ReturnType<typeof prepare>>) =>
      transaction(database.pool, (client) => writeSets(client, prepared));
    const overtaken = expect.objectContaining({ code: 'set_overtaken', retry: 'retryable' });
    const first = await prepare(adding(entries));
    const second = await prepare(adding(entries.slice(0, 5)));
    await write(first);
    await expect(write(second)).rejects.toEqual(overtaken);
    const third = await prepare(removing(entries.slice(0, 1)));
    const fourth = await prepare(removing(entries.slice(1, 2)));
    await write(third);
    await expect(write(fourth)).rejects.toEqual(overtaken);
    // Nor when there are as many entries as before, but others.
    const fifth = await prepare(removing(entries.slice(1, 2)));
    await write(await prepare({ add: flat([numbered(777)]), remove: numbered(2).key }));
    await expect(write(fifth)).rejects.toEqual(overtaken);
    // Nor when they are the same, kept in other pages: the set has grown and shrunk.
    const sixth = await prepare(removing(entries.slice(1, 2)));
    const { depth } = sixth.get(1)?.former ?? {};
    const many = numberedFrom(1000, 3000);
    await write(await prepare(adding(many)));
    await write(await prepare(removing(many)));
    const seventh = await prepare(removing(entries.slice(1, 2)));
    expect(seventh.get(1)?.state.root).toEqual(sixth.get(1)?.state.root);
    expect(seventh.get(1)?.state.depth).toBeGreaterThan(depth ?? 99);
    await expect(write(sixth)).rejects.toEqual(overtaken);
    await write(seventh);
    const left = [...entries.slice(3), numbered(777)];
    expect((await readSetStates(database.pool)).get(1)?.root).toEqual(setRoot(left));
  });

  test('are prepared in a read-only snapshot', async () => {
    const entries = numberedFrom(0, 100);
    await inSnapshot((client) => updateSets(client, new Map([[1, adding(entries)]])));
    const prepared = await transaction(
      database.pool,
      (client) => prepareSets(client, new Map([[1, removing(entries.slice(0, 1))]])),
      'ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
    expect(prepared.get(1)?.state.root).toEqual(setRoot(entries.slice(1)));
  });

  test('refuse to lose what is not there, and write nothing then', async () => {
    await inSnapshot((client) => updateSets(client, new Map([[1, adding(numberedFrom(0, 50))]])));
    const before = await readSetStates(database.pool);
    const wrong = new Map([
      [1, removing([numbered(99)])],
      [2, adding([numbered(1)])],
    ]);
    await expect(inSnapshot((client) => updateSets(client, wrong))).rejects.toEqual(
      expect.objectContaining({ code: 'set_corrupt', retry: 'stop' }),
    );
    expect(await readSetStates(database.pool)).toEqual(before);
  });

  test('keep their pages in line, and a change of few of them changes no index', async () => {
    const entries = numberedFrom(0, 30_000);
    await transaction(database.pool, (client) =>
      rebuildSets(client, [{ set: 1, entries: flat(entries) }]),
    );
    const { rows: toast } = await database.pool.query<{ bytes: bigint }>(
      `SELECT pg_relation_size(reltoastrelid) AS bytes FROM pg_class WHERE relname = 'set_pages'`,
    );
    expect(toast).toEqual([{ bytes: 0n }]);
    const before = await updatesSoFar();
    for (let i = 0; i < 20; i++) {
      await inSnapshot((client) =>
        updateSets(client, new Map([[1, removing([entries[i] as Entry])]])),
      );
    }
    expect((await readSetStates(database.pool)).get(1)?.root).toEqual(setRoot(entries.slice(20)));
    const after = await updatesSoFar();
    const updated = after.updated - before.updated;
    expect(updated).toBeGreaterThan(60);
    expect((after.hot - before.hot) / updated).toBeGreaterThan(0.8);
  });

  test('are read by their index, whatever the planner knows of the table', async () => {
    const entries = numberedFrom(0, 5000);
    await transaction(database.pool, (client) =>
      rebuildSets(client, [{ set: 1, entries: flat(entries) }]),
    );
    const plan = async (wanted: Parameters<typeof pagesQuery>[0]) => {
      const { rows } = await database.pool.query(`EXPLAIN ${pagesQuery(wanted)}`);
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    };
    const many = Array.from({ length: 400 }, (_, i) => [1, 0, i] as const);
    for (const analyze of [false, true]) {
      if (analyze) await database.pool.query('ANALYZE set_pages');
      const one = await plan({ pages: [[1, 0, 5]], buckets: [] });
      expect(one).toMatch(/Index (Only )?Scan using set_pages_pkey/);
      expect(await plan({ pages: many, buckets: [] })).not.toMatch(/Seq Scan/);
    }
  });
});

test('Node’s hash of sets is the one of the definition', () => {
  const pairs = flat(numberedFrom(0, 33));
  for (const prefix of [0, 1]) {
    expect(equalBytes(nodeHashPairs(prefix, pairs), hashPairs(prefix, pairs))).toBe(true);
    expect(nodeHashPairs(prefix, NONE)).toEqual(NONE);
  }
});
