import { must } from '../certificate/checklist.js';
import { type LeafOf, rotationMessage } from '../leaves.js';
import { verifyEd25519 } from '../log/ed25519.js';
import { parseVerifierKey, type VerifierKey } from '../log/keys.js';

/** A rotation, as the log has it. */
export type KeyEntry = { readonly index: number; readonly leaf: LeafOf<'key'> };

/**
 * The log's keys from the one that is trusted to the one in force after all these entries, each signed for by the
 * one before it. Throws why that is not so.
 */
export function keysFrom(
  trusted: string,
  origin: string,
  entries: readonly KeyEntry[],
): VerifierKey[] {
  const keys = [parseVerifierKey(trusted)];
  const at = entries.findIndex(({ leaf }) => leaf.vkey === trusted);
  for (const { index, leaf } of entries.slice(at + 1)) {
    const last = keys.at(-1) as VerifierKey;
    must(leaf.oldKeyId === last.id, `entry ${index} rotates another key than the one in force`);
    const message = rotationMessage(origin, leaf.vkey);
    must(
      verifyEd25519(leaf.signature, message, last.publicKey),
      `entry ${index}: the key in force has not signed that ${leaf.vkey} takes its place`,
    );
    keys.push(parseVerifierKey(leaf.vkey));
  }
  return keys;
}
