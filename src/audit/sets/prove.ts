import { equalBytes } from '../bytes.js';
import { corrupt, prefixOf, unpackEntries } from './entries.js';
import { type HashPairs, hashPairs } from './hash-pairs.js';
import {
  decodePage,
  depthOfLevel,
  fanBits,
  type Pages,
  pageId,
  type SetState,
  topLevel,
} from './pages.js';
import { type SetProof, verifyAbsence, verifyPresence } from './proof.js';
import { halve, type Summary } from './summaries.js';
import { EMPTY, type Entry, proveInSubtree } from './tree.js';

/**
 * The proof that `key` (32 bytes) is in the set, or that it is not, from the pages that
 * `pagesFor(state.depth, key)` names. Throws `set_corrupt` if it does not lead to the set's root.
 */
export function proveFromPages(
  state: SetState,
  pages: Pages,
  key: Uint8Array,
  hash: HashPairs = hashPairs,
): SetProof {
  const bucket = prefixOf(key, 0, state.depth);
  const siblings: Uint8Array[] = [];
  let entries: readonly Entry[] | undefined;
  for (let level = topLevel(state.depth); level > 0 && !entries; level--) {
    entries = descend(state.depth, level, pages, bucket, hash, siblings);
  }
  entries ??= unpackEntries(pages.get(pageId(0, bucket)) ?? new Uint8Array(0));
  const below = proveInSubtree(entries, key, siblings.length);
  const proof = { ...below, siblings: [...siblings, ...below.siblings] };
  check(state, proof, key, entries);
  return proof;
}

/**
 * Adds what is beside the path through one page to `siblings`. Gives the entries below the path, none or
 * one, if it ends in there.
 */
function descend(
  depth: number,
  level: number,
  pages: Pages,
  bucket: number,
  hash: HashPairs,
  siblings: Uint8Array[],
): readonly Entry[] | undefined {
  const bits = fanBits(depth, level);
  const below = depth - depthOfLevel(depth, level - 1);
  const child = Math.floor(bucket / 2 ** below);
  const page = pages.get(pageId(level, Math.floor(child / 2 ** bits)));
  const layers: (readonly Summary[])[] = [decodePage(page, bits)];
  for (let bit = 0; bit < bits; bit++) layers.push(halve(layers[bit] as Summary[], hash));
  for (let bit = bits; bit > 0; bit--) {
    const at = Math.floor((child % 2 ** bits) / 2 ** (bit - 1));
    const node = layers[bit]?.[at >> 1] ?? null;
    if (!node) return [];
    if (node.entry) return unpackEntries(node.entry);
    siblings.push(layers[bit - 1]?.[at ^ 1]?.hash ?? EMPTY);
  }
  return undefined;
}

function check(
  { root }: SetState,
  proof: SetProof,
  key: Uint8Array,
  entries: readonly Entry[],
): void {
  const { siblings } = proof;
  const found = entries.find((entry) => equalBytes(entry.key, key));
  const reached = found
    ? verifyPresence({ ...found, siblings })
    : verifyAbsence({ key, siblings, other: proof.present ? null : proof.other });
  if (!equalBytes(reached, root)) throw corrupt('the pages of a set do not lead to its root');
}
