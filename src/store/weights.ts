import type { Queryable } from './database.js';

export type WeightsOfAdapter = { readonly adapter: number; readonly digest: string };

/** An adapter's weights by digest, or what became of them. */
export async function readWeights(
  client: Queryable,
  digest: string,
): Promise<Buffer | 'erased' | 'unknown'> {
  const { rows } = await client.query<{ bytes: Buffer }>(
    'SELECT bytes FROM weights WHERE digest = $1',
    [digest],
  );
  if (rows[0]) return rows[0].bytes;
  const { rowCount } = await client.query(
    'SELECT FROM adapter_revisions WHERE weights_digest = $1 AND erased LIMIT 1',
    [digest],
  );
  return rowCount ? 'erased' : 'unknown';
}

/** The weights that a version is made of, by adapter; their bytes may be erased. */
export async function readWeightsOfVersion(
  client: Queryable,
  version: number,
): Promise<WeightsOfAdapter[]> {
  const { rows } = await client.query<WeightsOfAdapter>(
    `SELECT a.adapter, r.weights_digest AS digest FROM adapters a CROSS JOIN LATERAL
       (SELECT weights_digest FROM adapter_revisions
        WHERE adapter = a.adapter AND version <= $1 ORDER BY version DESC LIMIT 1) AS r
     ORDER BY a.adapter`,
    [version],
  );
  return rows;
}
