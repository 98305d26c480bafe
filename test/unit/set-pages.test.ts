import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildSet } from '#src/audit/sets/build.js';
import { sortRows, unpackEntries } from '#src/audit/sets/entries.js';
import { decodePage, type Pages, pageId, pagesFor, type SetState } from '#src/audit/sets/pages.js';
import { proveFromPages } from '#src/audit/sets/prove.js';
import { type Entry, proveSet, setRoot } from '#src/audit/sets/tree.js';
import { EMPTY_SET, pagesForUpdate, type SetChanges, updateSet } from '#src/audit/sets/update.js';
import { randomIntegers } from '../support/random.js';
import {
  countingHash,
  entrySets,
  flat,
  flatKeys,
  keyBeside,
  numbered,
  numberedFrom,
} from '../support/sets.js';

const CORRUPT = expect.objectContaining({ code: 'set_corrupt' });
const NONE = new Uint8Array(0);

type Kept = { readonly state: SetState; readonly pages: Pages };

/** No more than what is asked for. */
function only(pages: Pages, ids: Iterable<number>): Pages {
  const found = new Map<number, Uint8Array>();
  for (const id of ids) {
    const page = pages.get(id);
    if (page) found.set(id, page);
  }
  return found;
}

/** As a store does: reads the pages that are asked for, and writes those that changed. */
function change(kept: Kept, changes: SetChanges): Kept {
  const wanted = pagesForUpdate(kept.state, changes);
  const ids =
    wanted === 'buckets'
      ? Array.from({ length: 2 ** kept.state.depth }, (_, i) => pageId(0, i))
      : wanted.map(({ level, index }) => pageId(level, index));
  const update = updateSet(kept.state, only(kept.pages, ids), changes);
  const pages = new Map(update.rewritten ? [] : kept.pages);
  for (const [id, page] of update.pages) {
    if (page) pages.set(id, page);
    else pages.delete(id);
  }
  return { state: update.state, pages };
}

const prove = ({ state, pages }: Kept, key: Uint8Array) =>
  proveFromPages(
    state,
    only(
      pages,
      pagesFor(state.depth, key).map(({ level, index }) => pageId(level, index)),
    ),
    key,
  );

describe('a set in pages', () => {
  test('has the root and the proofs of the definition, however its keys lie', () => {
    fc.assert(
      fc.property(entrySets, (entries) => {
        const built = buildSet(flat(entries));
        expect(built.state).toMatchObject({ count: entries.length, root: setRoot(entries) });
        const asked = [...entries, ...numberedFrom(20, 24)].map(({ key }) => key);
        for (const key of [...asked, ...asked.map((k, i) => keyBeside(k, i % 256))]) {
          expect(prove(built, key)).toEqual(proveSet(entries, key));
        }
      }),
    );
  });

  test('has them at any size', () => {
    for (const size of [0, 1, 2, 16, 17, 33, 500, 5000]) {
      const entries = numberedFrom(0, size);
      const built = buildSet(flat(entries));
      expect(built.state).toMatchObject({ count: size, root: setRoot(entries) });
      for (const { key } of [...entries.slice(0, 5), ...numberedFrom(size, size + 20)]) {
        expect(prove(built, key)).toEqual(proveSet(entries, key));
      }
    }
  });

  test('after any additions and removals is what its entries give', () => {
    const step = fc.record({ add: fc.nat(60), remove: fc.nat(60), seed: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let kept: Kept = { state: EMPTY_SET, pages: new Map() };
        const entries = new Map<number, Entry>();
        let next = 0;
        for (const { add, remove, seed } of steps) {
          const random = randomIntegers(seed);
          const gone = [...entries.keys()].filter(() => random(60) < remove);
          const removed = gone.map((i) => entries.get(i) as Entry);
          for (const i of gone) entries.delete(i);
          const added = numberedFrom(next, next + add);
          for (const entry of added) entries.set(next++, entry);
          kept = change(kept, { add: flat(added), remove: flatKeys(removed) });
          const left = [...entries.values()];
          expect(kept.state).toMatchObject({ count: left.length, root: setRoot(left) });
          for (const { key } of [...left.slice(0, 5), ...removed.slice(0, 5)]) {
            expect(prove(kept, key)).toEqual(proveSet(left, key));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('keeps no page without entries, and holds each entry once', () => {
    const entries = numberedFrom(0, 3000);
    const built = buildSet(flat(entries));
    const left = entries.slice(0, 40);
    const kept = change(built, { add: NONE, remove: flatKeys(entries.slice(40)) });
    const buckets = [...kept.pages].filter(([id]) => id < 2 ** kept.state.depth);
    const held = buckets.sort(([a], [b]) => a - b).flatMap(([, page]) => unpackEntries(page));
    expect(flat(held)).toEqual(sortRows(flat(left), 64));
    expect(buckets.length).toBeLessThanOrEqual(40);
    const none = change(kept, { add: NONE, remove: flatKeys(left) });
    expect([...none.pages]).toEqual([]);
    expect(none.state.root).toEqual(EMPTY_SET.root);
    expect(prove(none, numbered(1).key)).toEqual(proveSet([], numbered(1).key));
    // It keeps its depth, and its root is a function of the set all the same.
    const again = change(none, { add: flat(left), remove: NONE });
    expect(again.state).toEqual({ depth: built.state.depth, count: 40, root: setRoot(left) });
  });

  test('grows as it fills: on average 32 entries to a bucket at most, and no fewer than 8', () => {
    let kept: Kept = { state: EMPTY_SET, pages: new Map() };
    for (let size = 0; size < 3000; size += 75) {
      kept = change(kept, { add: flat(numberedFrom(size, size + 75)), remove: NONE });
      const average = kept.state.count / 2 ** kept.state.depth;
      expect(average).toBeGreaterThan(8);
      expect(average).toBeLessThanOrEqual(32);
    }
    expect(kept.state.root).toEqual(buildSet(flat(numberedFrom(0, 3000))).state.root);
  });

  test('replaces a value when one key is removed and added at once', () => {
    const entries = numberedFrom(0, 100);
    const changed = numbered(7, 'other value');
    const kept = change(buildSet(flat(entries)), { add: flat([changed]), remove: changed.key });
    expect(kept.state.root).toEqual(setRoot(entries.with(7, changed)));
  });

  test('refuses to remove what is not there and to add what is', () => {
    const built = buildSet(flat(numberedFrom(0, 200)));
    const refused: SetChanges[] = [
      { add: NONE, remove: numbered(500).key },
      { add: flat([numbered(5)]), remove: NONE },
      { add: flat([numbered(500), numbered(500)]), remove: NONE },
      { add: NONE, remove: flatKeys([numbered(5), numbered(5)]) },
      { add: NONE, remove: numbered(5).key.subarray(1) },
      // Also where it grows.
      { add: flat(numberedFrom(199, 2000)), remove: NONE },
      { add: flat(numberedFrom(200, 2000)), remove: numbered(2001).key },
    ];
    for (const changes of refused) expect(() => change(built, changes)).toThrow(CORRUPT);
    expect(() => buildSet(flat([numbered(1), numbered(1)]))).toThrow(CORRUPT);
  });

  test('notices pages that do not belong together', () => {
    const entries = numberedFrom(0, 2000);
    const { state, pages } = buildSet(flat(entries));
    const { key } = numbered(3);
    const path = pagesFor(state.depth, key).map(({ level, index }) => pageId(level, index));
    expect(path.length).toBe(3);
    for (const id of path) {
      const holed = new Map(pages);
      holed.delete(id);
      expect(() => change({ state, pages: holed }, { add: NONE, remove: key })).toThrow(CORRUPT);
      expect(() => prove({ state, pages: holed }, key)).toThrow(CORRUPT);
      for (const bit of [0, 7, 600]) {
        const altered = new Map(pages);
        altered.set(id, keyBeside(pages.get(id) as Uint8Array, bit));
        expect(() => prove({ state, pages: altered }, key)).toThrow(CORRUPT);
      }
    }
    const grown = { add: flat(numberedFrom(2000, 9000)), remove: NONE };
    const holed = new Map(pages);
    holed.delete(path[0] as number);
    expect(() => change({ state, pages: holed }, grown)).toThrow(CORRUPT);
    expect(() => decodePage(Uint8Array.of(1, 0), 1)).toThrow(CORRUPT);
    expect(() => decodePage(Uint8Array.of(0, 3), 1)).toThrow(CORRUPT);
    expect(() => decodePage(Uint8Array.of(0, 0, 0), 1)).toThrow(CORRUPT);
  });

  test('of 100,000 changes one entry with fewer than 250 hashes, and less than 8 KiB written', () => {
    const entries = numberedFrom(0, 100_000);
    const built = buildSet(flat(entries));
    const remove = numbered(777).key;
    for (const changes of [
      { add: NONE, remove },
      { add: flat([numbered(100_000)]), remove: NONE },
    ]) {
      const counting = countingHash();
      const update = updateSet(built.state, built.pages, changes, counting.hash);
      expect(counting.count()).toBeLessThan(250);
      expect(
        [...update.pages.values()].reduce((sum, page) => sum + (page?.length ?? 0), 0),
      ).toBeLessThan(8192);
    }
  });

  test('is built with about 2.44 hashes an entry', () => {
    const counting = countingHash();
    buildSet(flat(numberedFrom(0, 20_000)), counting.hash);
    // A leaf each, and 1 / ln 2 inner nodes (Knuth, volume 3, section 6.3).
    expect(counting.count() / 20_000).toBeGreaterThan(2.4);
    expect(counting.count() / 20_000).toBeLessThan(2.5);
  });
});
