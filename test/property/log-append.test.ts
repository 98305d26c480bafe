import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { equalBytes, toHex } from '#src/audit/bytes.js';
import { leafHash } from '#src/audit/hash.js';
import { appendLeaves, type Edge, EMPTY_EDGE, edgeRoot, readEdge } from '#src/audit/log/append.js';
import { parseBundle } from '#src/audit/log/bundle.js';
import {
  consistencyProofOf,
  inclusionProofOf,
  multiproof,
  nodesOver,
  rootOf,
} from '#src/audit/log/merkle.js';
import {
  consistencyProof,
  inclusionProof,
  multiproofFromTiles,
  treeRoot,
} from '#src/audit/log/tile-proofs.js';
import { entriesPath, partialTiles, tilePath, tilesOf } from '#src/audit/log/tiles.js';

const SIZE = 70_000;

const entry = (i: number): Uint8Array => new Uint8Array(i % 5).fill(i);
/** A log of its own, from which the tests read and which none changes. */
const entries = Array.from({ length: SIZE }, (_, i) => entry(i));
const hashes = entries.map(leafHash);

/** Appends the entries in pieces that end at `cuts`; what is stored, by path. */
function stored(size: number, cuts: readonly number[], hash?: (bytes: Uint8Array) => Uint8Array) {
  const files = new Map<string, Uint8Array>();
  let edge: Edge = EMPTY_EDGE;
  let root = edgeRoot(edge);
  for (const end of [...cuts, size]) {
    const appended = appendLeaves(edge, entries.slice(edge.size, end), hash);
    for (const { bytes, ...tile } of appended.tiles) files.set(tilePath(tile), bytes);
    for (const { bytes, ...bundle } of appended.bundles) files.set(entriesPath(bundle), bytes);
    ({ edge, root } = appended);
  }
  return { files, edge, root };
}

const fast = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** Reads from what is stored, and counts. */
function reader(files: ReadonlyMap<string, Uint8Array>, size: number) {
  const read: string[] = [];
  const readTile = async (level: number, index: number, width: number): Promise<Uint8Array> => {
    expect([...tilesOf(size)]).toContainEqual({ level, index, width });
    const path = tilePath({ level, index, width });
    read.push(path);
    const bytes = files.get(path) ?? files.get(tilePath({ level, index, width: 256 }));
    if (bytes === undefined) throw new Error(`no ${path}`);
    return bytes;
  };
  return { read, readTile };
}

describe('entries appended in whatever pieces', () => {
  const cuts = fc.integer({ min: 0, max: 1500 }).chain((size) =>
    fc.tuple(
      fc.constant(size),
      fc
        .array(fc.integer({ min: 0, max: size }), { maxLength: 8 })
        .map((cuts) => cuts.sort((a, b) => a - b)),
    ),
  );

  test('give the tiles, bundles, edge and root that they give at once', () => {
    fc.assert(
      fc.property(cuts, ([size, cuts]) => {
        const once = stored(size, []);
        const often = stored(size, cuts);
        expect(often.edge.tiles.map(toHex)).toEqual(once.edge.tiles.map(toHex));
        expect(toHex(often.edge.bundle)).toEqual(toHex(once.edge.bundle));
        expect(toHex(often.root)).toEqual(toHex(once.root));
        for (const [path, bytes] of once.files) {
          expect(equalBytes(often.files.get(path) as Uint8Array, bytes), path).toBe(true);
        }
        const full = [...often.files.keys()].filter((path) => !path.includes('.p/'));
        expect(full.sort()).toEqual(
          [...once.files.keys()].filter((p) => !p.includes('.p/')).sort(),
        );
      }),
    );
  });

  test('give every tile of the tree and no other, and the root over the leaves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1500 }), (size) => {
        const { files, root, edge } = stored(size, []);
        expect([...files.keys()].filter((path) => !path.includes('entries')).sort()).toEqual(
          [...tilesOf(size)].map(tilePath).sort(),
        );
        expect(root).toEqual(rootOf(hashes.slice(0, size)));
        expect(edgeRoot(edge)).toEqual(root);
      }),
      { numRuns: 50 },
    );
  });

  test('change only the tiles that are named as new since a size', () => {
    fc.assert(
      fc.property(cuts, ([size, [since = 0]]) => {
        const { edge } = stored(since, []);
        const { tiles } = appendLeaves(edge, entries.slice(since, size));
        expect(tiles.map(tilePath)).toEqual([...tilesOf(size, since)].map(tilePath));
      }),
    );
  });

  test('can be read back from the bundles', () => {
    const { files } = stored(600, [10, 255, 256, 300]);
    const bundles = [0, 1].map((index) => files.get(entriesPath({ index, width: 256 })));
    bundles.push(files.get(entriesPath({ index: 2, width: 88 })));
    expect(bundles.flatMap((bundle) => parseBundle(bundle as Uint8Array))).toEqual(
      entries.slice(0, 600),
    );
  });
});

describe('an edge', () => {
  test('is read back from what is stored, and goes on as if it had never been put away', async () => {
    for (const size of [0, 1, 255, 256, 257, 1000, 65_536, 65_793]) {
      const { files, edge } = stored(size, []);
      const again = await readEdge(size, reader(files, size).readTile, async (index, width) =>
        Promise.resolve(files.get(entriesPath({ index, width })) as Uint8Array),
      );
      expect(appendLeaves(again, entries.slice(size, size + 300))).toEqual(
        appendLeaves(edge, entries.slice(size, size + 300)),
      );
    }
  });

  test('that does not fit its size is refused', () => {
    const { edge } = stored(600, []);
    const refused = (change: Partial<Edge>, code: string) =>
      expect(() => appendLeaves({ ...edge, ...change }, [])).toThrow(
        expect.objectContaining({ code }),
      );
    refused({ size: 601 }, 'invalid_tile');
    refused({ tiles: edge.tiles.slice(0, 1) }, 'invalid_tile');
    refused({ tiles: [...edge.tiles, new Uint8Array(32)] }, 'invalid_tile');
    refused({ bundle: edge.bundle.subarray(0, -1) }, 'invalid_bundle');
    refused({ bundle: new Uint8Array() }, 'invalid_bundle');
  });
});

test('an entry has up to 65,535 bytes and no more', () => {
  const long = new Uint8Array(65_535).fill(7);
  const { bundles } = appendLeaves(EMPTY_EDGE, [long]);
  expect(parseBundle(bundles[0]?.bytes as Uint8Array)).toEqual([long]);
  expect(() => appendLeaves(EMPTY_EDGE, [new Uint8Array(65_536)])).toThrow(
    expect.objectContaining({ code: 'entry_too_large' }),
  );
});

describe('a log of 70,000 entries', () => {
  let files: ReadonlyMap<string, Uint8Array>;
  let root: Uint8Array;
  let hashOf: ReturnType<typeof nodesOver>;
  beforeAll(() => {
    ({ files, root } = stored(SIZE, [], fast));
    hashOf = nodesOver(hashes);
  });

  /** Two different sizes, in order, or more. */
  const indexes = fc
    .uniqueArray(fc.integer({ min: 0, max: SIZE - 1 }), { minLength: 1, maxLength: 10 })
    .map((indexes) => indexes.sort((a, b) => a - b));

  test('has the root over its leaves, whatever hash function computed it', async () => {
    expect(equalBytes(root, rootOf(hashes))).toBe(true);
    const { readTile, read } = reader(files, SIZE);
    expect(await treeRoot(SIZE, readTile)).toEqual(root);
    expect(read.sort()).toEqual(partialTiles(SIZE).map(tilePath).sort());
  });

  test('gives the proofs that its nodes give, and reads no tile twice', async () => {
    await fc.assert(
      fc.asyncProperty(indexes, async (indexes) => {
        const { readTile, read } = reader(files, SIZE);
        expect(await multiproofFromTiles(indexes, SIZE, readTile)).toEqual(
          multiproof(indexes, SIZE, hashOf),
        );
        expect(new Set(read).size).toBe(read.length);
        const [index = 0] = indexes;
        expect(await inclusionProof(index, SIZE, readTile)).toEqual(
          inclusionProofOf(index, SIZE, hashOf),
        );
        expect(await consistencyProof(index + 1, SIZE, readTile)).toEqual(
          consistencyProofOf(index + 1, SIZE, hashOf),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('still proves what it was at any earlier size, from wider tiles', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: SIZE }), fc.nat(), async (size, n) => {
        const readTile = async (level: number, index: number): Promise<Uint8Array> => {
          const now = [...tilesOf(SIZE)].find((t) => t.level === level && t.index === index);
          return Promise.resolve(files.get(tilePath(now as never)) as Uint8Array);
        };
        const then = nodesOver(hashes.slice(0, size));
        const index = n % size;
        expect(await treeRoot(size, readTile)).toEqual(rootOf(hashes.slice(0, size)));
        expect(await inclusionProof(index, size, readTile)).toEqual(
          inclusionProofOf(index, size, then),
        );
        expect(await consistencyProof(index + 1, size, readTile)).toEqual(
          consistencyProofOf(index + 1, size, then),
        );
      }),
      { numRuns: 10 },
    );
  });

  test.each([
    ['too short', new Uint8Array(32)],
    ['no whole number of hashes', new Uint8Array(8191)],
    ['too long', new Uint8Array(8192 + 32)],
  ])('reads no proof from a tile that is %s', async (_, tile) => {
    await expect(inclusionProof(5, SIZE, async () => Promise.resolve(tile))).rejects.toThrow(
      expect.objectContaining({ code: 'invalid_tile' }),
    );
  });

  test('has no proof of what it has not', async () => {
    const { readTile } = reader(files, SIZE);
    const invalid = expect.objectContaining({ code: 'invalid_proof' });
    await expect(inclusionProof(SIZE, SIZE, readTile)).rejects.toThrow(invalid);
    await expect(consistencyProof(0, SIZE, readTile)).rejects.toThrow(invalid);
    await expect(consistencyProof(SIZE + 1, SIZE, readTile)).rejects.toThrow(invalid);
    await expect(multiproofFromTiles([], SIZE, readTile)).rejects.toThrow(invalid);
    await expect(treeRoot(-1, readTile)).rejects.toThrow(invalid);
  });
});
