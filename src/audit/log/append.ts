import { LegonetError } from '../../errors.js';
import { concat } from '../bytes.js';
import { HASH_BYTES, sha256 } from '../hash.js';
import { encodeEntry, parseBundle } from './bundle.js';
import { rootOf } from './merkle.js';
import {
  type Bundle,
  levelWidth,
  partialTiles,
  type ReadTile,
  splitHashes,
  TILE_WIDTH,
  type Tile,
  tileHashes,
} from './tiles.js';

/*
 * Appending to a log that is kept as tiles: a pure function of the right edge of the tree and the new entries.
 */

/** SHA-256 of the bytes, which may change once it has returned. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** All of a log that is needed to append to it: at most 255 hashes to a level, and 255 entries. */
export type Edge = {
  /** Leaves of the tree. */
  readonly size: number;
  /** By level, the hashes of the tile that is not full, one after the other; empty where all are full. */
  readonly tiles: readonly Uint8Array[];
  /** The entries of the bundle that is not full, encoded. */
  readonly bundle: Uint8Array;
};

export const EMPTY_EDGE: Edge = { size: 0, tiles: [], bundle: new Uint8Array() };

export type Appended = {
  readonly edge: Edge;
  readonly root: Uint8Array;
  /** New tiles, and tiles that have become wider, as wide as they are now. */
  readonly tiles: readonly (Tile & { readonly bytes: Uint8Array })[];
  readonly bundles: readonly (Bundle & { readonly bytes: Uint8Array })[];
};

/** The edge of a stored log. Throws `invalid_tile` or `invalid_bundle` if something is missing. */
export async function readEdge(
  size: number,
  readTile: ReadTile,
  readBundle: (index: number, width: number) => Promise<Uint8Array>,
): Promise<Edge> {
  const tiles: Uint8Array[] = [];
  for (let level = 0; levelWidth(level, size) > 0; level++) tiles.push(new Uint8Array());
  for (const { level, index, width } of partialTiles(size)) {
    tiles[level] = tileHashes(await readTile(level, index, width), width);
  }
  const width = size % TILE_WIDTH;
  if (width === 0) return { size, tiles, bundle: new Uint8Array() };
  const entries = parseBundle(await readBundle(Math.floor(size / TILE_WIDTH), width));
  const edge = { size, tiles, bundle: concat(...entries.slice(0, width).map(encodeEntry)) };
  checkEdge(edge);
  return edge;
}

function checkEdge({ size, tiles, bundle }: Edge): void {
  for (let level = 0; level < tiles.length || levelWidth(level, size) > 0; level++) {
    if ((tiles[level]?.length ?? 0) !== (levelWidth(level, size) % TILE_WIDTH) * HASH_BYTES) {
      throw new LegonetError('invalid_tile', `the edge of level ${level} is not that of ${size}`);
    }
  }
  if (parseBundle(bundle).length !== size % TILE_WIDTH) {
    throw new LegonetError('invalid_bundle', `the last bundle is not that of ${size} entries`);
  }
}

/** `nodeHash` by another hash, without a new array for each call. */
function nodeBy(hash: Hash): (left: Uint8Array, right: Uint8Array) => Uint8Array {
  const bytes = new Uint8Array(1 + 2 * HASH_BYTES);
  bytes[0] = 1;
  return (left, right) => {
    bytes.set(left, 1);
    bytes.set(right, 1 + HASH_BYTES);
    return hash(bytes);
  };
}

/** Root of the tree that has this edge. */
export function edgeRoot({ tiles }: Edge, hash: Hash = sha256): Uint8Array {
  const node = nodeBy(hash);
  let right: readonly Uint8Array[] = [];
  for (const tile of tiles) {
    // What is right of a level's last full tile is one more node of that level, if an incomplete one.
    const nodes = [...splitHashes(tile), ...right];
    if (nodes.length > 0) right = [rootOf(nodes, node)];
  }
  return rootOf(right, node);
}

/** What follows `kept` from `index` on, cut into full ones and a rest. */
function cut<T>(kept: readonly T[], added: readonly T[], index: number) {
  const all = [...kept, ...added];
  const pieces: { index: number; width: number; items: readonly T[] }[] = [];
  for (let at = 0; at < all.length; at += TILE_WIDTH) {
    const items = all.slice(at, at + TILE_WIDTH);
    pieces.push({ index: index + at / TILE_WIDTH, width: items.length, items });
  }
  const last = pieces.at(-1);
  const rest = last !== undefined && last.width < TILE_WIDTH ? last.items : [];
  return { pieces, rest };
}

/**
 * The log after these entries. `hash` may be a faster SHA-256. Throws `entry_too_large`, and `invalid_tile` or
 * `invalid_bundle` if the edge does not fit its size.
 */
export function appendLeaves(
  edge: Edge,
  entries: readonly Uint8Array[],
  hash: Hash = sha256,
): Appended {
  checkEdge(edge);
  const node = nodeBy(hash);
  const encoded = entries.map(encodeEntry);
  const bundles = cut(
    parseBundle(edge.bundle).map(encodeEntry),
    encoded,
    Math.floor(edge.size / TILE_WIDTH),
  );
  const tiles: (Tile & { bytes: Uint8Array })[] = [];
  const edges = [...edge.tiles];
  let added = entries.map((entry) => hash(concat(Uint8Array.of(0), entry)));
  for (let level = 0; added.length > 0; level++) {
    const first = Math.floor(levelWidth(level, edge.size) / TILE_WIDTH);
    const { pieces, rest } = cut(splitHashes(edges[level] ?? new Uint8Array()), added, first);
    for (const { index, width, items } of pieces) {
      tiles.push({ level, index, width, bytes: concat(...items) });
    }
    edges[level] = concat(...rest);
    added = pieces
      .filter(({ width }) => width === TILE_WIDTH)
      .map(({ items }) => rootOf(items, node));
  }
  const after: Edge = {
    size: edge.size + entries.length,
    tiles: edges,
    bundle: concat(...bundles.rest),
  };
  return {
    edge: after,
    root: Uint8Array.from(edgeRoot(after, hash)),
    tiles,
    bundles: bundles.pieces.map(({ index, width, items }) => ({
      index,
      width,
      bytes: concat(...items),
    })),
  };
}
