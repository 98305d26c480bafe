import { LegonetError } from '../errors.js';
import type { BuiltAdapter } from '../model/build.js';
import { byteaArray, int4Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import { lockAdapters } from '../store/row-locks.js';
import type { Intent } from './attest.js';
import { type BuildPlan, type Cut, cutJson } from './plan.js';
import type { SetsAtCut } from './sets.js';

/** A version about to be committed. */
export type NewVersion = {
  readonly version: number;
  readonly parent: number | null;
  readonly modelDigest: string;
  readonly configDigest: string;
  readonly plan: BuildPlan;
  readonly built: ReadonlyMap<number, Rebuilt>;
  readonly sets: SetsAtCut;
  readonly intent: Intent;
  /** The build whose results hold the weights that others have built. */
  readonly shared: string | null;
  /** The W3C trace context of the build. */
  readonly traceparent: string | null;
};

/** An adapter rebuilt. Without `bytes`, its weights are among the shared build's results. */
export type Rebuilt = Pick<BuiltAdapter, 'members' | 'digest'> &
  Partial<Pick<BuiltAdapter, 'bytes'>>;

/** A version retired by the commit, and the digests of the weights erased with it. */
export type Retirement = { readonly version: number; readonly erasedWeights: readonly string[] };

/**
 * Writes the version and everything that hangs on it, in the caller's transaction: weights, revisions,
 * cleared marks, applied deletions, retirements. Throws `build_overtaken` if the parent is no longer
 * the latest version, `build_stopped` if the shared build is over; both are retryable.
 */
export async function commitVersion(client: Queryable, next: NewVersion): Promise<Retirement[]> {
  const rebuilt = [...next.built.keys()];
  await lockAdapters(client, rebuilt);
  await insertVersion(client, next, rebuilt);
  await insertRevisions(client, next);
  await applyRequests(client, next.version, next.plan.cut);
  await clearMarks(client, next, rebuilt);
  return retire(client, next);
}

async function insertVersion(client: Queryable, next: NewVersion, rebuilt: number[]) {
  const { plan } = next;
  const { rowCount } = await queryPrepared(
    client,
    `INSERT INTO versions (version, parent, model_digest, config_digest, cut, rebuilt, carried,
                           deletions, retained)
     SELECT $1, $2, $3, $4, $5, $6::int[], $7, $8::text[], $9
     WHERE $2::int IS NOT DISTINCT FROM (SELECT max(version) FROM versions)
     ON CONFLICT DO NOTHING`,
    [
      next.version,
      next.parent,
      next.modelDigest,
      next.configDigest,
      JSON.stringify(cutJson(plan.cut)),
      int4Array(rebuilt),
      plan.digests.length - rebuilt.length,
      textArray(plan.deletions),
      plan.retained,
    ],
  );
  if (rowCount === 1) return;
  throw new LegonetError('build_overtaken', 'another builder has committed first', 'retryable');
}

async function insertRevisions(client: Queryable, { version, built, shared }: NewVersion) {
  const adapters = [...built.values()];
  const own = adapters.flatMap(({ digest, bytes }) => (bytes ? [{ digest, bytes }] : []));
  await queryPrepared(
    client,
    `INSERT INTO weights (digest, bytes)
     SELECT DISTINCT ON (digest) digest, bytes FROM unnest($1::text[], $2::bytea[]) AS w(digest, bytes)
     ORDER BY digest ON CONFLICT DO NOTHING`,
    [textArray(own.map(({ digest }) => digest)), byteaArray(own.map(({ bytes }) => bytes))],
  );
  const others = [...built].flatMap(([adapter, { bytes }]) => (bytes ? [] : [adapter]));
  if (shared !== null) await insertHandedIn(client, shared, others);
  const digests = textArray(adapters.map(({ digest }) => digest));
  await queryPrepared(
    client,
    `WITH superseded AS (
       UPDATE adapter_revisions SET until = $1 WHERE adapter = ANY($2::int[]) AND until IS NULL
     ), revised AS (
       INSERT INTO adapter_revisions (adapter, version, members, weights_digest)
       SELECT adapter, $1, members, digest
       FROM unnest($2::int[], $3::int[], $4::text[]) AS b(adapter, members, digest)
       RETURNING *
     )
     UPDATE adapters a SET version = $1, members = r.members, weights_digest = r.weights_digest
     FROM revised r WHERE a.adapter = r.adapter`,
    [version, int4Array([...built.keys()]), int4Array(adapters.map((a) => a.members)), digests],
  );
}

/** Weights that others have built, from where they put them: they do not pass through this process. */
async function insertHandedIn(client: Queryable, build: string, adapters: readonly number[]) {
  const { rowCount } = await client.query(
    'SELECT FROM shared_builds WHERE build = $1 FOR KEY SHARE',
    [build],
  );
  if (rowCount === 0) {
    throw new LegonetError('build_stopped', 'the shared build is over', 'retryable');
  }
  await client.query(
    `INSERT INTO weights (digest, bytes)
     SELECT DISTINCT ON (digest) digest, bytes FROM build_results
     WHERE build = $1 AND adapter = ANY($2::int[]) ORDER BY digest ON CONFLICT DO NOTHING`,
    [build, int4Array(adapters)],
  );
}

/** Requests that the cut covers, and what they have deleted, are met by the version. */
export async function applyRequests(client: Queryable, version: number, cut: Cut): Promise<void> {
  await queryPrepared(
    client,
    `WITH asked AS (
       SELECT request_id, kind, target FROM deletions
       WHERE version IS NULL AND position < coalesce(($2::jsonb ->> partition::text)::bigint, 0)
       ORDER BY request_id, kind, target FOR NO KEY UPDATE
     ), applied AS (
       UPDATE deletions d SET version = $1 FROM asked a
       WHERE d.request_id = a.request_id AND d.kind = a.kind AND d.target = a.target
     )
     UPDATE evidence e SET applied_in = $1 FROM tombstones t
     WHERE e.applied_in IS NULL AND t.sample_id = e.sample_id
       AND t.position < coalesce(($2::jsonb ->> t.partition::text)::bigint, 0)`,
    [version, JSON.stringify(cutJson(cut))],
  );
}

/** Only marks that the cut covers: a sample projected while the build ran keeps its adapters dirty. */
async function clearMarks(client: Queryable, { plan }: NewVersion, rebuilt: number[]) {
  await queryPrepared(
    client,
    `WITH covered AS (
       SELECT adapter, partition FROM dirty_adapters
       WHERE adapter = ANY($1) AND position < coalesce(($2::jsonb ->> partition::text)::bigint, 0)
       ORDER BY adapter, partition FOR UPDATE
     )
     DELETE FROM dirty_adapters d USING covered c
     WHERE d.adapter = c.adapter AND d.partition = c.partition`,
    [rebuilt, JSON.stringify(cutJson(plan.cut))],
  );
}

/** Retires every version that holds content which this one no longer does, and erases its weights. */
async function retire(client: Queryable, { version, plan }: NewVersion): Promise<Retirement[]> {
  const { rows } = await queryPrepared<{ version: number }>(
    client,
    `WITH applied AS (
       DELETE FROM removals
       WHERE position < coalesce(($2::jsonb ->> partition::text)::bigint, 0)
       RETURNING *
     ), holding AS (
       SELECT version FROM versions v
       WHERE v.version < $1 AND v.retired_at IS NULL AND EXISTS
         (SELECT FROM applied a
          WHERE a.content_position < coalesce((v.cut ->> a.content_partition::text)::bigint, 0)
            AND a.position >= coalesce((v.cut ->> a.partition::text)::bigint, 0))
       ORDER BY version FOR NO KEY UPDATE
     )
     UPDATE versions v SET retired_at = now(), retired_by = $1 FROM holding h
     WHERE v.version = h.version
     RETURNING v.version`,
    [version, JSON.stringify(cutJson(plan.cut))],
  );
  const retired = rows.map((row) => row.version).sort((a, b) => a - b);
  const erased = retired.length > 0 ? await eraseWeights(client) : [];
  return retired.map((old) => ({
    version: old,
    erasedWeights: erased
      .filter((revision) => revision.version <= old && old < revision.until)
      .map((revision) => revision.digest),
  }));
}

type ErasedRevision = { version: number; until: number; digest: string };

/** Erases weights that were in force in retired versions only. Their digests stay. */
async function eraseWeights(client: Queryable): Promise<ErasedRevision[]> {
  const { rows } = await client.query<ErasedRevision>(
    `UPDATE adapter_revisions r SET erased = true
     WHERE until IS NOT NULL AND NOT erased AND NOT EXISTS
       (SELECT FROM versions v
        WHERE v.version >= r.version AND v.version < r.until AND v.retired_at IS NULL)
     RETURNING version, until, weights_digest AS digest`,
  );
  const gone = await queryPrepared<{ digest: string }>(
    client,
    `DELETE FROM weights w WHERE digest = ANY($1)
       AND NOT EXISTS (SELECT FROM adapter_revisions r
                       WHERE r.weights_digest = w.digest AND NOT r.erased)
     RETURNING digest`,
    [[...new Set(rows.map((row) => row.digest))]],
  );
  const digests = new Set(gone.rows.map((row) => row.digest));
  return rows.filter((row) => digests.has(row.digest));
}
