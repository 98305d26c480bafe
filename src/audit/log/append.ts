import { LegonetError } from '../../errors.js';
import { concat } from '../bytes.js';
import { HASH_BYTES, sha256 } from '../hash.js';
import { encodeBundle, parseBundle } from './bundle.js';
import {
  type Bundle,
  levelWidth,
  partialTiles,
  type ReadTile,
  TILE_WIDTH,
  type Tile,
  tileHashes,
} from './tiles.js';

/*
 * Appending to a log that is kept as tiles: a pure function of the right edge of the tree and the new entries.
 */

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** SHA-256 of the bytes, which change once it has returned. */
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
  const edge = { size, tiles, bundle: encodeBundle(entries.slice(0, width)) };
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

/** Root over hashes that follow one another: what `rootOf` gives, without an array for each. */
function rootOfHashes(hashes: Uint8Array, hash: Hash): Uint8Array {
  let count = hashes.length / HASH_BYTES;
  if (count === 0) return hash(hashes);
  const level = hashes.slice();
  const node = new Uint8Array(1 + 2 * HASH_BYTES);
  node[0] = 1;
  for (; count > 1; count = Math.ceil(count / 2)) {
    for (let i = 0; i < count; i += 2) {
      const pair = level.subarray(i * HASH_BYTES, Math.min(i + 2, count) * HASH_BYTES);
      node.set(pair, 1);
      // An odd last one goes up as it is.
      level.set(i + 1 < count ? hash(node) : pair, (i / 2) * HASH_BYTES);
    }
  }
  return level.slice(0, HASH_BYTES);
}

/** Hashes of the leaves, one after the other. */
function leafHashes(entries: readonly Uint8Array[], hash: Hash): Uint8Array {
  const hashes = new Uint8Array(entries.length * HASH_BYTES);
  const longest = entries.reduce((max, { length }) => Math.max(max, length), 0);
  const leaf = new Uint8Array(1 + longest);
  for (const [i, entry] of entries.entries()) {
    leaf.set(entry, 1);
    hashes.set(hash(leaf.subarray(0, 1 + entry.length)), i * HASH_BYTES);
  }
  return hashes;
}

/** Root of the tree that has this edge. */
export function edgeRoot({ tiles }: Edge, hash: Hash = sha256): Uint8Array {
  let right: Uint8Array = new Uint8Array();
  for (const tile of tiles) {
    // What is right of a level's last full tile is one more node of that level, if an incomplete one.
    const nodes = concat(tile, right);
    if (nodes.length > 0) right = rootOfHashes(nodes, hash);
  }
  return rootOfHashes(right, hash);
}

function appendBundles({ size, bundle }: Edge, entries: readonly Uint8Array[]) {
  const kept = size % TILE_WIDTH;
  const bundles: (Bundle & { bytes: Uint8Array })[] = [];
  for (let at = -kept; at < entries.length; at += TILE_WIDTH) {
    const added = entries.slice(Math.max(at, 0), at + TILE_WIDTH);
    bundles.push({
      index: (size + at) / TILE_WIDTH,
      width: Math.max(-at, 0) + added.length,
      bytes: concat(...(at < 0 ? [bundle] : []), encodeBundle(added)),
    });
  }
  return bundles;
}

function appendTiles(edge: Edge, entries: readonly Uint8Array[], hash: Hash) {
  const tiles: (Tile & { bytes: Uint8Array })[] = [];
  const edges = [...edge.tiles];
  let added = leafHashes(entries, hash);
  for (let level = 0; added.length > 0; level++) {
    const hashes = concat(edges[level] ?? new Uint8Array(), added);
    const first = Math.floor(levelWidth(level, edge.size) / TILE_WIDTH);
    const above: Uint8Array[] = [];
    for (let at = 0; at < hashes.length; at += TILE_BYTES) {
      const bytes = hashes.slice(at, at + TILE_BYTES);
      const width = bytes.length / HASH_BYTES;
      tiles.push({ level, index: first + at / TILE_BYTES, width, bytes });
      if (width === TILE_WIDTH) above.push(rootOfHashes(bytes, hash));
    }
    edges[level] = hashes.slice(above.length * TILE_BYTES);
    added = concat(...above);
  }
  return { tiles, edges };
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
  const bundles = appendBundles(edge, entries);
  const { tiles, edges } = appendTiles(edge, entries, hash);
  const last = bundles.at(-1);
  const rest = last === undefined ? edge.bundle : last.bytes;
  const after: Edge = {
    size: edge.size + entries.length,
    tiles: edges,
    bundle: last?.width === TILE_WIDTH ? new Uint8Array() : rest.slice(),
  };
  return { edge: after, root: edgeRoot(after, hash), tiles, bundles };
}
