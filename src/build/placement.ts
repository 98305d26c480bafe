import { LegonetError } from '../errors.js';
import type { Queryable } from '../store/database.js';
import type { BuildPlan } from './plan.js';

/**
 * Makes sure, and sees to it until the transaction ends, that nobody has placed samples anew since the cut: call
 * it first. Throws `build_overtaken` (retryable).
 */
export async function holdPlacement(client: Queryable, { generation }: BuildPlan): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE placement SET built = generation WHERE generation = $1',
    [generation],
  );
  if (rowCount === 1) return;
  throw new LegonetError(
    'build_overtaken',
    'another builder has placed samples by other keys since',
    'retryable',
  );
}

/**
 * The version has all that has moved. A sample that moved and was deleted before any version had it there was held
 * by the last one where it had been, and its certificate shows that.
 */
export async function forgetMoves(client: Queryable, { latest }: BuildPlan): Promise<void> {
  await client.query(
    `WITH gone AS (DELETE FROM moves RETURNING *)
     UPDATE evidence e SET adapters = g.adapters FROM gone g
     WHERE e.commitment = g.commitment AND e.held_in = $1`,
    [latest?.version ?? null],
  );
}
