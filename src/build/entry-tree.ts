import { fastHash } from '../store/tlog.js';

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/**
 * Root of an RFC 6962 tree over entries of which few change from one time to the next: what has not
 * changed is neither encoded nor hashed again. `isSame` may say no of two that are; `encode` gives the entry.
 */
export class EntryTree<Item> {
  readonly #isSame: (a: Item, b: Item) => boolean;
  readonly #encode: (item: Item) => Uint8Array;
  #items: readonly Item[] = [];
  #levels: Uint8Array[][] = [[]];

  constructor(isSame: (a: Item, b: Item) => boolean, encode: (item: Item) => Uint8Array) {
    this.#isSame = isSame;
    this.#encode = encode;
  }

  root(items: readonly Item[]): Uint8Array {
    if (items.length !== this.#items.length) this.#levels = levelsFor(items.length);
    const [leaves = []] = this.#levels;
    let changed = new Set<number>();
    items.forEach((item, i) => {
      if (leaves[i] && this.#isSame(this.#items[i] as Item, item)) return;
      leaves[i] = fastHash(Buffer.concat([LEAF, this.#encode(item)]));
      changed.add(i);
    });
    for (let level = 1; level < this.#levels.length; level++) {
      changed = new Set([...changed].map((i) => i >> 1));
      for (const i of changed) this.#hashNode(level, i);
    }
    this.#items = items;
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
