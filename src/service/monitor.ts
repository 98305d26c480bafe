import { type Checkpoint, openCheckpoint } from '../audit/log/checkpoint.js';
import { parseVerifierKey } from '../audit/log/keys.js';
import { verifyConsistency } from '../audit/log/merkle.js';
import { consistencyProof } from '../audit/log/tile-proofs.js';
import type { ReadTile } from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';

export type Grown = {
  readonly origin: string;
  readonly since: number;
  readonly size: number;
  /** The new signed note. */
  readonly checkpoint: string;
};

/** The log as it is now. */
export type LogNow = { readonly checkpoint: string; readonly tile: ReadTile };

/**
 * That a log has only grown since a checkpoint that was kept: both signed by one of its keys, and a consistency
 * proof from its tiles. Throws as `openCheckpoint`, and `log_inconsistent`.
 */
export async function checkGrown(
  kept: string,
  { checkpoint, tile }: LogNow,
  vkeys: readonly string[],
): Promise<Grown> {
  const keys = vkeys.map(parseVerifierKey);
  const open = (note: string): Checkpoint => openCheckpoint(note, { keys });
  const [before, now] = [open(kept), open(checkpoint)];
  const inconsistent = (reason: string, cause?: unknown) =>
    new LegonetError(
      'log_inconsistent',
      `the log ${now.origin} has not only grown since the checkpoint of ${before.size} entries: ${reason}`,
      'terminal',
      { cause },
    );
  if (before.size > now.size) throw inconsistent(`now it has ${now.size} entries`);
  if (before.size > 0) {
    try {
      const proof =
        before.size === now.size ? [] : await consistencyProof(before.size, now.size, tile);
      verifyConsistency({
        size1: before.size,
        root1: before.root,
        size2: now.size,
        root2: now.root,
        proof,
      });
    } catch (cause) {
      if (cause instanceof LegonetError && ['invalid_proof', 'invalid_tile'].includes(cause.code)) {
        throw inconsistent(cause.message, cause);
      }
      throw cause;
    }
  }
  return { origin: now.origin, since: before.size, size: now.size, checkpoint };
}
