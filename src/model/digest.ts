import { createHash } from 'node:crypto';

const sha256 = (...parts: (Uint8Array | string)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Merkle tree hash of a list of entries (RFC 6962, section 2.1). */
export function merkleRoot(entries: readonly Uint8Array[]): Buffer {
  if (entries.length === 0) return sha256();
  let level = entries.map((entry) => sha256(LEAF, entry));
  while (level.length > 1) {
    const next: Buffer[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Buffer;
      const right = level[i + 1];
      // An odd one out moves up unhashed: the tree of RFC 6962 splits at the largest power of two.
      next.push(right ? sha256(NODE, left, right) : left);
    }
    level = next;
  }
  return level[0] as Buffer;
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/**
 * The model digest, hex: a Merkle root over the adapters' weights digests in order of adapter id,
 * bound to the configuration digest.
 */
export function modelDigest(configDigest: string, weightsDigests: readonly string[]): string {
  const root = merkleRoot(weightsDigests.map((digest) => Buffer.from(digest, 'hex')));
  return modelDigestOf(configDigest, root);
}

/** The same from the Merkle root over the weights digests. */
export const modelDigestOf = (configDigest: string, root: Uint8Array): string =>
  sha256('legonet.model.v1\n', Buffer.from(configDigest, 'hex'), root).toString('hex');
