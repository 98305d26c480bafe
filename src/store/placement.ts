import type { Queryable } from './database.js';

/*
 * Where keys are samples (`anchors`), builds place samples, before their cut. Changes of keys, and samples that
 * move by them, have no position in the log: placements are told apart by a generation that counts them.
 */

/** In place of an adapter among the dirty ones: samples wait to be placed. */
export const UNPLACED = -1;

/** The generation that a snapshot has; 0 where keys are no samples. */
export async function readGeneration(client: Queryable): Promise<bigint> {
  const { rows } = await client.query<{ generation: bigint }>('SELECT generation FROM placement');
  return rows[0]?.generation ?? 0n;
}
