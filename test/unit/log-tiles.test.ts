import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBundle } from '#src/audit/log/bundle.js';
import {
  entriesPath,
  parseEntriesPath,
  parseTilePath,
  tilePath,
  tilesOf,
} from '#src/audit/log/tiles.js';

const index = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);
const width = fc.integer({ min: 1, max: 256 });

test('paths of tiles and of bundles are read back as what they are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 63 }), index, width, (level, index, width) => {
      expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
      expect(parseEntriesPath(entriesPath({ index, width }))).toEqual({ index, width });
    }),
  );
});

describe('no path of a tile is', () => {
  test.each([
    '',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/00/000',
    'tile/01/000',
    'tile/64/000',
    'tile/100/000',
    'tile/-1/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/0/x000/001',
    'tile/0/000/001',
    'tile/0/x001',
    'tile/0/x001/x002',
    'tile/0/X001/002',
    'tile/0/000.p/0',
    'tile/0/000.p/00',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/0/000.p/1000',
    'tile/0/000.p/',
    'tile/0/000.p/-1',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
    'tile/0/٠٠٠',
    'tile/entries/000',
    'tile/data/000',
  ])('%j', (path) => {
    expect(() => parseTilePath(path)).toThrow(
      expect.objectContaining({ code: 'invalid_tile_path' }),
    );
  });
});

test('no path of a bundle is that of a tile', () => {
  for (const path of ['tile/0/000', 'tile/entries/0', 'tile/entries/000.p/256']) {
    expect(() => parseEntriesPath(path)).toThrow(
      expect.objectContaining({ code: 'invalid_tile_path' }),
    );
  }
});

test('an empty tree has no tiles', () => {
  expect([...tilesOf(0)]).toEqual([]);
});

test.each([
  ['ends within a length', [0, 1, 7, 0]],
  ['ends within an entry', [0, 2, 7]],
  ['has 257 entries', new Array<number>(514).fill(0)],
])('a bundle that %s is refused', (_, bytes) => {
  expect(() => parseBundle(Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ code: 'invalid_bundle' }),
  );
});
