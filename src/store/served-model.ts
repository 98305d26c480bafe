import { LegonetError } from '../errors.js';
import { weightsDigest } from '../model/adapter.js';
import { modelDigest } from '../model/digest.js';
import { type KeyedAdapter, readAdapter, withKeysOf } from '../model/keyed.js';
import type { Model } from '../model/model.js';
import type { AdapterWeights } from '../model/predict.js';
import { type Database, queryPrepared, transaction } from './database.js';

/** A model version, its weights in memory and every digest checked. */
export type ServedModel = {
  readonly version: number;
  readonly modelDigest: string;
  /** It holds a sample that was deleted. */
  readonly retired: boolean;
  /** With the keys of this version. */
  readonly model: Model;
  readonly weights: AdapterWeights;
  /** The same adapters by digest, to be handed in when the next version is loaded. */
  readonly held: ReadonlyMap<string, KeyedAdapter>;
};

/** Which version is in service, and whether it holds a sample that was deleted. */
export type InService = {
  readonly version: number;
  readonly modelDigest: string;
  readonly retired: boolean;
};

type RevisionRow = { adapter: number; members: number; digest: string; bytes: Buffer | null };

const IN_SERVICE = `SELECT version, model_digest AS "modelDigest", retired_at IS NOT NULL AS retired
  FROM versions WHERE published_at IS NOT NULL ORDER BY version DESC LIMIT 1`;

/** The newest published version, or null before there is one. */
export async function readInService({ pool }: Pick<Database, 'pool'>): Promise<InService | null> {
  const { rows } = await pool.query<InService>(IN_SERVICE);
  return rows[0] ?? null;
}

/**
 * Loads the newest published version, or null before there is one; of weights that are `held` the bytes
 * are not read again. Throws `weights_corrupt` if the stored bytes are not what the version's digest says,
 * `version_retired` if they are erased and its successor is not published yet.
 */
export async function loadServedModel(
  { pool }: Pick<Database, 'pool'>,
  model: Model,
  held: ReadonlyMap<string, KeyedAdapter> = new Map(),
): Promise<ServedModel | null> {
  const found = await transaction(
    pool,
    async (client) => {
      const { rows: versions } = await client.query<InService>(IN_SERVICE);
      const [latest] = versions;
      if (!latest) return null;
      const { rows } = await queryPrepared<RevisionRow>(
        client,
        `SELECT r.adapter, r.members, r.weights_digest AS digest, w.bytes
         FROM adapter_revisions r
         LEFT JOIN weights w ON w.digest = r.weights_digest AND w.digest <> ALL ($2)
         WHERE r.version <= $1 AND (r.until IS NULL OR r.until > $1) ORDER BY r.adapter`,
        [latest.version, [...held.keys()]],
      );
      return { latest, rows };
    },
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  if (!found) return null;
  const { latest, rows } = found;
  const known = new Map<string, KeyedAdapter>();
  const adapters = rows.map(({ digest, members, bytes }) => {
    const adapter = held.get(digest) ?? (bytes && checked(model, digest, bytes, latest));
    if (!adapter && latest.retired) throw retired(latest);
    if (!adapter) throw corrupt(latest);
    known.set(digest, adapter);
    return { ...adapter, members };
  });
  const digests = rows.map(({ digest }) => digest);
  if (modelDigest(model.digest, digests) !== latest.modelDigest) throw corrupt(latest);
  return {
    ...latest,
    model: withKeysOf(model, adapters),
    weights: adapters.map(({ members, weights }) => (members === 0 ? null : weights)),
    held: known,
  };
}

function checked(model: Model, digest: string, bytes: Buffer, latest: InService): KeyedAdapter {
  if (weightsDigest(bytes) === digest) return readAdapter(model, bytes);
  throw corrupt(latest);
}

const corrupt = ({ version }: InService): LegonetError =>
  new LegonetError(
    'weights_corrupt',
    `the stored weights are not those of version ${version}: see \`legonet doctor\``,
    'stop',
  );

export const retired = ({ version }: Pick<InService, 'version'>): LegonetError =>
  new LegonetError(
    'version_retired',
    `version ${version} is retired, a sample of it was deleted, and the next one is not published yet: try again`,
    'retryable',
  );
