import { LegonetError } from '../errors.js';
import type { Queryable } from './database.js';

/** That a subscriber has taken a version into use. */
export type Adoption = {
  readonly subscriber: string;
  readonly version: number;
  /** When it first said so. */
  readonly adoptedAt: Date;
};

/** Notes an adoption; saying it again changes nothing. Throws `no_version` unless it is published. */
export async function adopt(
  client: Queryable,
  subscriber: string,
  version: number,
): Promise<Adoption> {
  const { rows } = await client.query<Adoption>(
    // An update that changes nothing, since DO NOTHING would return no row.
    `INSERT INTO adoptions AS a (subscriber, version)
     SELECT $1, version FROM versions WHERE version = $2 AND published_at IS NOT NULL
     ON CONFLICT (subscriber, version) DO UPDATE SET adopted_at = a.adopted_at
     RETURNING subscriber, version, adopted_at AS "adoptedAt"`,
    [subscriber, version],
  );
  const [adoption] = rows;
  if (adoption) return adoption;
  throw new LegonetError('no_version', `no version ${version} is published`);
}

/** Who has come as far as a version, and who has not. */
export type Adopters = {
  /** The first version, this one or a later, that each has taken into use. */
  readonly adopted: readonly Adoption[];
  /** The last version before it that each has taken into use. */
  readonly behind: readonly Adoption[];
};

export async function readAdopters(client: Queryable, version: number): Promise<Adopters> {
  const { rows } = await client.query<Adoption>(
    // From name to name in the index: a subscriber has as many rows as there are versions.
    `WITH RECURSIVE names AS (
       (SELECT subscriber FROM adoptions ORDER BY subscriber LIMIT 1)
       UNION ALL
       SELECT (SELECT a.subscriber FROM adoptions a WHERE a.subscriber > n.subscriber
               ORDER BY a.subscriber LIMIT 1)
       FROM names n WHERE n.subscriber IS NOT NULL
     )
     SELECT n.subscriber, a.version, a.adopted_at AS "adoptedAt" FROM names n CROSS JOIN LATERAL
       ((SELECT version, adopted_at FROM adoptions
         WHERE subscriber = n.subscriber AND version >= $1 ORDER BY version LIMIT 1)
        UNION ALL
        (SELECT version, adopted_at FROM adoptions
         WHERE subscriber = n.subscriber AND version < $1 ORDER BY version DESC LIMIT 1)
        ORDER BY version DESC LIMIT 1) AS a
     ORDER BY n.subscriber`,
    [version],
  );
  return {
    adopted: rows.filter((row) => row.version >= version),
    behind: rows.filter((row) => row.version < version),
  };
}
