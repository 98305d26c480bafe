import type { Queryable } from './database.js';

/** Whether a replay is on its way: what is projected may lack what it has not come to yet. */
export const REPLAYING = 'EXISTS (SELECT FROM offsets WHERE position < replay_until)';

/** Next position to project, by partition, in order of partition. */
export async function readOffsets(client: Queryable): Promise<ReadonlyMap<number, bigint>> {
  const { rows } = await client.query<{ partition: number; position: bigint }>(
    'SELECT partition, position FROM offsets ORDER BY partition',
  );
  return new Map(rows.map(({ partition, position }) => [partition, position]));
}
