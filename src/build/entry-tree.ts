import { equalBytes } from '../audit/bytes.js';
import { fastHash } from '../store/tlog.js';

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/**
 * Root of an RFC 6962 tree over entries of which few change from one time to the next: what has not
 * changed is not hashed again. Holds all hashes, 64 bytes to an entry.
 */
export class EntryTree {
  #entries: readonly Uint8Array[] = [];
  #levels: Uint8Array[][] = [[]];

  root(entries: readonly Uint8Array[]): Uint8Array {
    if (entries.length !== this.#entries.length) this.#levels = levelsFor(entries.length);
    const [leaves = []] = this.#levels;
    let changed = new Set<number>();
    entries.forEach((entry, i) => {
      const known = leaves[i] && this.#entries[i];
      if (known && equalBytes(known, entry)) return;
      leaves[i] = fastHash(Buffer.concat([LEAF, entry]));
      changed.add(i);
    });
    for (let level = 1; level < this.#levels.length; level++) {
      changed = new Set([...changed].map((i) => i >> 1));
      for (const i of changed) this.#hashNode(level, i);
    }
    this.#entries = entries;
    return this.#levels.at(-1)?.[0] ?? fastHash(new Uint8Array());
  }

  #hashNode(level: number, i: number): void {
    const below = this.#levels[level - 1] as Uint8Array[];
    const left = below[2 * i] as Uint8Array;
    const right = below[2 * i + 1];
    // An odd one out moves up unhashed: the tree of RFC 6962 splits at the largest power of two.
    const hash = right ? fastHash(Buffer.concat([NODE, left, right])) : left;
    (this.#levels[level] as Uint8Array[])[i] = hash;
  }
}

function levelsFor(size: number): Uint8Array[][] {
  const levels: Uint8Array[][] = [[]];
  for (let width = size; width > 1; width = Math.ceil(width / 2)) levels.push([]);
  return levels;
}
