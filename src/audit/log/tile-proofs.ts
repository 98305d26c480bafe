import { sha256 } from '../hash.js';
import { multiproofRanges, rootOf } from './merkle.js';
import {
  checkSize,
  completeNodes,
  consistencyRanges,
  type HashOf,
  inclusionRanges,
  type Node,
  type Range,
  rangeHash,
} from './positions.js';
import {
  type ReadTile,
  splitHashes,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileHashes,
  tileWidth,
} from './tiles.js';

/*
 * Proofs read from the tiles of a tree. Each tile is asked for once. What they prove is worth as much as the
 * tiles: who does not trust their source verifies the proof. All throw `invalid_proof` for what the tree does
 * not have, and `invalid_tile` for tiles that are too short.
 */

/** The tile that has a node's hash, or the hashes of all that is below it, and which of them. */
function locate({ level, index }: Node) {
  const height = level % TILE_HEIGHT;
  const span = 2 ** height;
  const at = index * span;
  return {
    level: (level - height) / TILE_HEIGHT,
    tile: Math.floor(at / TILE_WIDTH),
    first: at % TILE_WIDTH,
    span,
  };
}

async function hashesOf(nodes: readonly Node[], size: number, readTile: ReadTile): Promise<HashOf> {
  const wanted = new Map(
    nodes.map(locate).map(({ level, tile }) => [`${level}/${tile}`, { level, tile }]),
  );
  const tiles = new Map(
    await Promise.all(
      Array.from(wanted, async ([key, { level, tile }]) => {
        const width = tileWidth(level, tile, size);
        const bytes = tileHashes(await readTile(level, tile, width), width);
        return [key, splitHashes(bytes)] as const;
      }),
    ),
  );
  return (level, index) => {
    const place = locate({ level, index });
    const hashes = tiles.get(`${place.level}/${place.tile}`) ?? [];
    return rootOf(hashes.slice(place.first, place.first + place.span));
  };
}

async function hashRanges(
  ranges: readonly Range[],
  size: number,
  readTile: ReadTile,
): Promise<Uint8Array[]> {
  const hashOf = await hashesOf(ranges.flatMap(completeNodes), size, readTile);
  return ranges.map((range) => rangeHash(range, hashOf));
}

/** In RFC 6962's order: from the leaf's sibling to the root's child. */
export const inclusionProof = async (
  index: number,
  size: number,
  readTile: ReadTile,
): Promise<Uint8Array[]> => hashRanges(inclusionRanges(index, size), size, readTile);

/** For 0 < size1 ≤ size2. */
export const consistencyProof = async (
  size1: number,
  size2: number,
  readTile: ReadTile,
): Promise<Uint8Array[]> => hashRanges(consistencyRanges(size1, size2), size2, readTile);

/** See `multiproof`. Indexes increase strictly. */
export const multiproofFromTiles = async (
  indexes: readonly number[],
  size: number,
  readTile: ReadTile,
): Promise<Uint8Array[]> => hashRanges(multiproofRanges(indexes, size), size, readTile);

export async function treeRoot(size: number, readTile: ReadTile): Promise<Uint8Array> {
  checkSize(size);
  if (size === 0) return sha256(new Uint8Array());
  const [root] = await hashRanges([{ from: 0, size }], size, readTile);
  return root as Uint8Array;
}
