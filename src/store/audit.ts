import type { Queryable } from './database.js';

export type VersionRow = {
  readonly version: number;
  readonly parent: number | null;
  readonly modelDigest: string;
  readonly configDigest: string;
  /** Next position, by partition, as decimal strings. */
  readonly cut: Readonly<Record<string, string>>;
  readonly rebuilt: readonly number[];
  readonly carried: number;
  readonly deletions: readonly string[];
  readonly retained: bigint;
  readonly createdAt: Date;
  readonly publishedAt: Date | null;
  readonly retiredAt: Date | null;
  readonly retiredBy: number | null;
};

const VERSION_COLUMNS = `version, parent, model_digest AS "modelDigest",
  config_digest AS "configDigest", cut, rebuilt, carried, deletions, retained,
  created_at AS "createdAt", published_at AS "publishedAt", retired_at AS "retiredAt",
  retired_by AS "retiredBy"`;

/** All versions, oldest first, or the one named. */
export async function readVersions(client: Queryable, version?: number): Promise<VersionRow[]> {
  const { rows } = await client.query<VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM versions WHERE $1::int IS NULL OR version = $1 ORDER BY version`,
    [version ?? null],
  );
  return rows;
}

/** The first versions after one, oldest first. */
export async function readVersionsAfter(
  client: Queryable,
  after: number,
  limit: number,
): Promise<VersionRow[]> {
  const { rows } = await client.query<VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM versions WHERE version > $1 ORDER BY version LIMIT $2`,
    [after, limit],
  );
  return rows;
}

/** The newest version that is published, or null before there is one. */
export async function readLatestVersion(client: Queryable): Promise<VersionRow | null> {
  const { rows } = await client.query<VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM versions WHERE published_at IS NOT NULL
     ORDER BY version DESC LIMIT 1`,
  );
  return rows[0] ?? null;
}

export type SampleReport = {
  readonly sampleId: string;
  readonly state: 'retained' | 'deleted' | 'unknown';
  /** Its adapters, nearest first. */
  readonly adapters: readonly number[];
  /** The first and the last version whose training set held it. */
  readonly firstVersion: number | null;
  readonly lastVersion: number | null;
  /** The request that deleted it. */
  readonly requestId: string | null;
};

type FoundSample = {
  adapters: number[] | null;
  firstVersion: number | null;
  lastVersion: number | null;
  requestId: string | null;
};

/** What became of a sample. A version holds it if its cut lies between its arrival and its deletion. */
export async function readSample(client: Queryable, sampleId: string): Promise<SampleReport> {
  const { rows } = await client.query<FoundSample>(
    `SELECT f.adapters, f.request_id AS "requestId",
            min(v.version) AS "firstVersion", max(v.version) AS "lastVersion"
     FROM (SELECT CASE WHEN unplaced THEN '{}' ELSE adapters END AS adapters, NULL AS request_id,
                  first_partition, first_position, NULL::int AS partition, NULL::bigint AS position
           FROM samples WHERE sample_id = $1
           UNION ALL
           SELECT NULL, request_id, first_partition, first_position, partition, position
           FROM tombstones WHERE sample_id = $1) AS f
     LEFT JOIN versions v
       ON f.first_position < coalesce((v.cut ->> f.first_partition::text)::bigint, 0)
      AND (f.partition IS NULL OR f.position >= coalesce((v.cut ->> f.partition::text)::bigint, 0))
     GROUP BY 1, 2`,
    [sampleId],
  );
  const [found] = rows;
  if (!found) {
    return {
      sampleId,
      state: 'unknown',
      adapters: [],
      firstVersion: null,
      lastVersion: null,
      requestId: null,
    };
  }
  const state = found.requestId === null ? 'retained' : 'deleted';
  return { sampleId, ...found, state, adapters: found.adapters ?? [] };
}

export type AdapterReport = {
  readonly adapter: number;
  readonly members: number | null;
  readonly weightsDigest: string | null;
  /** Built in. */
  readonly version: number | null;
  /** Its members have changed since. */
  readonly dirty: boolean;
};

const ADAPTER_COLUMNS = `adapter, members, weights_digest AS "weightsDigest", version,
  EXISTS (SELECT FROM dirty_adapters d WHERE d.adapter = a.adapter) AS dirty`;

export async function readAdapter(
  client: Queryable,
  adapter: number,
): Promise<AdapterReport | null> {
  const { rows } = await client.query<AdapterReport>(
    `SELECT ${ADAPTER_COLUMNS} FROM adapters a WHERE adapter = $1`,
    [adapter],
  );
  return rows[0] ?? null;
}

export async function readAdapters(client: Queryable): Promise<AdapterReport[]> {
  const { rows } = await client.query<AdapterReport>(
    `SELECT ${ADAPTER_COLUMNS} FROM adapters a ORDER BY adapter`,
  );
  return rows;
}

export type DeletionReport = {
  readonly requestId: string;
  readonly kind: 'sample' | 'subject';
  readonly target: string;
  readonly reason: string | null;
  readonly requestedAt: Date | null;
  readonly receivedAt: Date;
  /** Retained samples that it removed. */
  readonly removed: number;
  /** Ids of all samples it has deleted, those that came late included. */
  readonly samples: readonly string[];
  /** The first version without them, and when it was published. */
  readonly version: number | null;
  readonly modelDigest: string | null;
  readonly publishedAt: Date | null;
};

const DELETIONS = `
  SELECT d.request_id AS "requestId", d.kind, d.target, d.reason,
         to_timestamp(d.requested_at / 1e6) AS "requestedAt", d.received_at AS "receivedAt",
         d.removed, d.version, v.model_digest AS "modelDigest", v.published_at AS "publishedAt",
         ARRAY(SELECT sample_id FROM tombstones t
               WHERE t.request_id = d.request_id AND (d.kind = 'subject' OR t.sample_id = d.target)
               ORDER BY sample_id) AS samples
  FROM deletions d LEFT JOIN versions v USING (version)`;

/** All requests in order of arrival, or those with one request id. */
export async function readDeletions(
  client: Queryable,
  requestId?: string,
): Promise<DeletionReport[]> {
  const { rows } = await client.query<DeletionReport>(
    `${DELETIONS} WHERE $1::text IS NULL OR d.request_id = $1
     ORDER BY d.partition, d.position, d.kind, d.target`,
    [requestId ?? null],
  );
  return rows;
}

/** A place in the list of requests by id: after the last one shown. */
export type DeletionPlace = Pick<DeletionReport, 'requestId' | 'kind' | 'target'>;

/** The first requests after a place, in the order of their ids, kinds and targets. */
export async function readDeletionsAfter(
  client: Queryable,
  { requestId, kind, target }: DeletionPlace,
  limit: number,
): Promise<DeletionReport[]> {
  const { rows } = await client.query<DeletionReport>(
    `${DELETIONS} WHERE (d.request_id, d.kind, d.target) > ($1, $2, $3)
     ORDER BY d.request_id, d.kind, d.target LIMIT $4`,
    [requestId, kind, target, limit],
  );
  return rows;
}
