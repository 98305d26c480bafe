import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  entriesPath,
  parseEntriesPath,
  parseTilePath,
  tilePath,
  tilesOf,
} from '#src/audit/log/tiles.js';
import { vectorsOrSkip } from '../support/vectors.js';

vectorsOrSkip('tiles of C2SP tlog-tiles', (directory) => {
  const vector = JSON.parse(readFileSync(join(directory, 'inline/tile-paths.json'), 'utf8'));

  test.each<{ n: string; path: string }>(vector.paths)('tile $n is at $path', ({ n, path }) => {
    const index = Number(n);
    const tile = { level: 1, index, width: 256 };
    expect(tilePath(tile)).toBe(`tile/1/${path}`);
    expect(parseTilePath(`tile/1/${path}`)).toEqual(tile);
    const bundle = { index, width: 7 };
    expect(entriesPath(bundle)).toBe(`tile/entries/${path}.p/7`);
    expect(parseEntriesPath(`tile/entries/${path}.p/7`)).toEqual(bundle);
  });

  test.each<Record<string, number>>(vector.sizes)('a tree of $size leaves', ({ size, ...want }) => {
    const tiles = [...tilesOf(size as number)];
    const full = (level: number) =>
      tiles.filter((tile) => tile.level === level && tile.width === 256).length;
    const partial = (level: number) =>
      tiles.find((tile) => tile.level === level && tile.width < 256)?.width ?? 0;
    expect({
      full0: full(0),
      partial0: partial(0),
      full1: full(1),
      partial1: partial(1),
      partial2: partial(2),
    }).toEqual(want);
  });
});
