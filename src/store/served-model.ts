import { LegonetError } from '../errors.js';
import { readWeights, weightsDigest } from '../model/adapter.js';
import { modelDigest } from '../model/digest.js';
import type { Model } from '../model/model.js';
import type { AdapterWeights } from '../model/predict.js';
import { type Database, queryPrepared, transaction } from '../store/database.js';

/** A model version, its weights in memory and every digest checked. */
export type ServedModel = {
  readonly version: number;
  readonly modelDigest: string;
  readonly weights: AdapterWeights;
};

type RevisionRow = { adapter: number; members: number; digest: string; bytes: Buffer };

/**
 * Loads the newest published version, or null before there is one. Throws `weights_corrupt` if the
 * stored bytes are not what the version's digest says.
 */
export async function loadServedModel(
  { pool }: Database,
  model: Model,
): Promise<ServedModel | null> {
  const found = await transaction(
    pool,
    async (client) => {
      const versions = await client.query<{ version: number; model_digest: string }>(
        `SELECT version, model_digest FROM versions WHERE published_at IS NOT NULL
         ORDER BY version DESC LIMIT 1`,
      );
      const [latest] = versions.rows;
      if (!latest) return null;
      const { rows } = await queryPrepared<RevisionRow>(
        client,
        'served-weights',
        `SELECT r.adapter, r.members, r.weights_digest AS digest, w.bytes
         FROM adapter_revisions r JOIN weights w ON w.digest = r.weights_digest
         WHERE r.version <= $1 AND (r.until IS NULL OR r.until > $1) ORDER BY r.adapter`,
        [latest.version],
      );
      return { latest, rows };
    },
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  if (!found) return null;
  const { latest, rows } = found;
  const digests = rows.map(({ bytes }) => weightsDigest(bytes));
  if (modelDigest(model.digest, digests) !== latest.model_digest) {
    throw new LegonetError(
      'weights_corrupt',
      `the stored weights are not those of version ${latest.version}: see \`legonet doctor\``,
      'stop',
    );
  }
  return {
    version: latest.version,
    modelDigest: latest.model_digest,
    weights: rows.map(({ members, bytes }) => (members === 0 ? null : readWeights(bytes))),
  };
}
