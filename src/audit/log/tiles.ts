import { LegonetError } from '../../errors.js';
import { HASH_BYTES } from '../hash.js';

/*
 * The tiles that a log's hashes are stored and served in (c2sp.org/tlog-tiles), and their paths, which are
 * relative: no slash in front.
 */

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree from one level of tiles to the next. */
export const TILE_HEIGHT = 8;

/** `width` is the number of hashes: 256, or less at the right edge. */
export type Tile = { readonly level: number; readonly index: number; readonly width: number };
export type Bundle = { readonly index: number; readonly width: number };

/** How many hashes tile level `level` has in a tree of `size`, in all tiles. */
export const levelWidth = (level: number, size: number): number =>
  Math.floor(size / TILE_WIDTH ** level);

/** How many hashes a tile has in a tree of `size`: 0 if there is no such tile. */
export const tileWidth = (level: number, index: number, size: number): number =>
  Math.max(0, Math.min(TILE_WIDTH, levelWidth(level, size) - index * TILE_WIDTH));

/** The tiles at the right edge that are not full, from level 0 up. */
export function partialTiles(size: number): readonly Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0; levelWidth(level, size) > 0; level++) {
    const index = Math.floor(levelWidth(level, size) / TILE_WIDTH);
    const width = levelWidth(level, size) % TILE_WIDTH;
    if (width > 0) tiles.push({ level, index, width });
  }
  return tiles;
}

/** The tiles that a tree of `size` has and the smaller tree of `since` has not, or not as wide. */
export function* tilesOf(size: number, since = 0): Generator<Tile> {
  for (let level = 0; levelWidth(level, size) > 0; level++) {
    const end = levelWidth(level, size);
    const known = levelWidth(level, since);
    for (let index = Math.floor(known / TILE_WIDTH); index * TILE_WIDTH < end; index++) {
      const width = tileWidth(level, index, size);
      if (width > tileWidth(level, index, since)) yield { level, index, width };
    }
  }
}

/** Throws `invalid_tile` unless the bytes are at least `width` hashes of a tile; gives the first `width`. */
export function tileHashes(tile: Uint8Array, width: number): Uint8Array {
  if (tile.length % HASH_BYTES !== 0 || tile.length > TILE_WIDTH * HASH_BYTES) {
    throw new LegonetError('invalid_tile', 'a tile is at most 256 hashes of 32 bytes');
  }
  if (tile.length < width * HASH_BYTES) {
    throw new LegonetError('invalid_tile', `the tree has ${width} hashes in this tile`);
  }
  return tile.subarray(0, width * HASH_BYTES);
}

/** Gives a stored tile. `width` is how many hashes it has in the tree; a wider one will do. */
export type ReadTile = (level: number, index: number, width: number) => Promise<Uint8Array>;

/** Concatenated hashes, each on its own: views. */
export const splitHashes = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH_BYTES }, (_, i) =>
    bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );

/** Three digits to an element, all but the last after an x. */
function indexPath(index: number): string {
  const groups = String(index)
    .padStart(Math.ceil(String(index).length / 3) * 3, '0')
    .match(/\d{3}/g) as string[];
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
}

const partialPath = (width: number): string => (width === TILE_WIDTH ? '' : `.p/${width}`);

export const tilePath = ({ level, index, width }: Tile): string =>
  `tile/${level}/${indexPath(index)}${partialPath(width)}`;

export const entriesPath = ({ index, width }: Bundle): string =>
  `tile/entries/${indexPath(index)}${partialPath(width)}`;

const PATH = /^tile\/([0-9]{1,2}|entries)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

const unknownPath = (): LegonetError =>
  new LegonetError('invalid_tile_path', 'no tile or bundle of entries can have this path');

function parsePath(path: string): Bundle & { readonly level: string } {
  const [, level = '', groups = '', partial] = PATH.exec(path) ?? [];
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  if (level === '' || width < 1 || width > TILE_WIDTH || !Number.isSafeInteger(index)) {
    throw unknownPath();
  }
  return { level, index, width };
}

/** Reads what `tilePath` gives, for levels 0 to 63, and nothing else. Throws `invalid_tile_path`. */
export function parseTilePath(path: string): Tile {
  const { level: digits, index, width } = parsePath(path);
  const level = Number(digits);
  if (!(level <= 63) || tilePath({ level, index, width }) !== path) throw unknownPath();
  return { level, index, width };
}

/** Reads what `entriesPath` gives and nothing else. Throws `invalid_tile_path`. */
export function parseEntriesPath(path: string): Bundle {
  const { index, width } = parsePath(path);
  if (entriesPath({ index, width }) !== path) throw unknownPath();
  return { index, width };
}
