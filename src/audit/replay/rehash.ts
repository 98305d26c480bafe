import { leafHash, nodeHash, sha256 } from '../hash.js';

/** Root of a Merkle tree (RFC 6962) that grows, from the hashes of its largest complete subtrees. */
export type RunningRoot = {
  readonly add: (entry: Uint8Array) => void;
  readonly size: () => number;
  readonly root: () => Uint8Array;
};

/** `hash` may be a faster SHA-256. */
export function runningRoot(hash: (bytes: Uint8Array) => Uint8Array = sha256): RunningRoot {
  const complete: Uint8Array[] = [];
  let size = 0;
  const fast = hash !== sha256;
  const leaf = fast ? (entry: Uint8Array) => hash(tagged(0, entry)) : leafHash;
  const node = fast
    ? (left: Uint8Array, right: Uint8Array) => hash(tagged(1, left, right))
    : nodeHash;
  return {
    add: (entry) => {
      let last = leaf(entry);
      // As many subtrees end here as there are ones at the end of the number.
      for (let bits = size; bits % 2 === 1; bits = Math.floor(bits / 2)) {
        last = node(complete.pop() as Uint8Array, last);
      }
      complete.push(last);
      size++;
    },
    size: () => size,
    root: () =>
      size === 0
        ? hash(new Uint8Array())
        : complete.reduceRight((right, left) => node(left, right)),
  };
}

function tagged(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(1 + parts.reduce((sum, { length }) => sum + length, 0));
  bytes[0] = tag;
  let at = 1;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
