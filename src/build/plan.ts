import { decodeLeaf } from '../audit/leaves.js';
import { readTrace } from '../events/trace-context.js';
import type { BuiltAdapter } from '../model/build.js';
import type { Queryable } from '../store/database.js';
import { REPLAYING } from '../store/offsets.js';
import { HOLDS } from '../store/statistics.js';
import { type Causes, MAX_LINKS } from '../tracing.js';
import type { Owed } from './owed.js';

/** Next position to project, by partition: everything before it is reflected. */
export type Cut = Readonly<Record<string, bigint>>;

/** What a build starts from, read in one repeatable-read snapshot. */
export type BuildPlan = {
  /** Whether anything has changed since the last version. */
  readonly needed: boolean;
  readonly cut: Cut;
  /** Adapters to rebuild, the largest first: the last one must not keep one thread busy alone. */
  readonly dirty: readonly DirtyAdapter[];
  readonly retained: bigint;
  readonly latest: Latest | null;
  /** How often keys that are samples have changed; 0 where they are not. */
  readonly generation: bigint;
  /** The cut that the training sets are at; null before they are made. */
  readonly setCut: Cut | null;
  /** Weights digest in force, by adapter; null for one never built. */
  readonly digests: readonly (string | null)[];
  /** The version that each was built in; null for one never built. */
  readonly builtIn: readonly (number | null)[];
  /** Requests that no version applies yet. */
  readonly deletions: readonly string[];
  /** The traces of these requests, and of what made adapters dirty; the first of each. */
  readonly causes: Causes;
};

export type Latest = {
  readonly version: number;
  readonly retired: boolean;
  /** Its entry in the audit log; null for a version from before there was one. */
  readonly entry: Uint8Array | null;
  /** Root of its retained set. */
  readonly retainedRoot: Buffer | null;
};

/** An adapter, and the version it was last built in. */
export type Dirty = {
  readonly adapter: number;
  readonly builtIn: number | null;
  /** Whether there are kept statistics, and whether they hold as they are. */
  readonly stored: boolean;
  readonly kept: boolean;
  /** What is to be subtracted from them first. */
  readonly owed?: readonly Owed[];
  /** What it is, where only the other adapters of its members have changed: it is that again. */
  readonly same: Pick<BuiltAdapter, 'members' | 'digest'> | null;
};

/** What building it takes. */
export type ToBuild = Omit<Dirty, 'same'>;

/**
 * `owes`: its kept statistics would hold without members that were taken away since. `members`: as many as it was
 * last built from.
 */
export type DirtyAdapter = Dirty & { readonly owes: boolean; readonly members: number | null };

/** What waits to be built, without a snapshot: cheap enough to ask at every wake-up. */
export type Pending = {
  /** Something was deleted or corrected: build at once. */
  readonly urgent: boolean;
  /** Milliseconds since the oldest mark, or null when all adapters are clean. */
  readonly waitingMs: number | null;
};

/**
 * No version is known to be without a deleted sample: also where a replay has met all that is left of it, the log's own
 * deletion, after a version without it was built.
 */
const UNAPPLIED = `(EXISTS (SELECT FROM deletions WHERE version IS NULL)
  OR EXISTS (SELECT FROM evidence JOIN tombstones USING (sample_id) WHERE applied_in IS NULL))`;

export async function readPending(client: Queryable): Promise<Pending> {
  const { rows } = await client.query<{ urgent: boolean; waiting: number | null }>(
    `SELECT ${UNAPPLIED} OR coalesce(bool_or(removed IS NOT NULL), false) AS urgent,
            (extract(epoch FROM clock_timestamp() - min(since)) * 1000)::float8 AS waiting
     FROM dirty_adapters HAVING NOT ${REPLAYING}`,
  );
  const [row] = rows;
  return { urgent: row?.urgent ?? false, waitingMs: row?.waiting ?? null };
}

type DirtyRow = Omit<DirtyAdapter, 'same'> & {
  readonly digest: string | null;
  readonly marked: boolean;
  readonly resealed: boolean;
};

type CountsRow = {
  offsets: Record<string, string>;
  digests: string | null;
  builtIn: string | null;
  setCut: Record<string, string> | null;
  replaying: boolean;
  unapplied: boolean;
  retained: bigint;
  generation: bigint;
  deletions: string[];
  asked: string[];
  touched: string[];
};

export async function readPlan(client: Queryable): Promise<BuildPlan> {
  const dirty = await client.query<DirtyRow>(
    // The first version builds every adapter, those without members too.
    `SELECT a.adapter, a.version AS "builtIn", a.members, a.weights_digest AS digest,
            d.adapter IS NOT NULL AS marked, coalesce(d.resealed, false) AS resealed,
            s.adapter IS NOT NULL AS stored,
            coalesce(${HOLDS} AND NOT d.reduced, false) AS kept,
            coalesce(${HOLDS} AND d.reduced, false) AS owes
     FROM adapters a
     LEFT JOIN (SELECT adapter, bool_or(removed IS NOT NULL) AS reduced, bool_and(resealed) AS resealed
                FROM dirty_adapters GROUP BY adapter) AS d USING (adapter)
     LEFT JOIN adapter_statistics s USING (adapter)
     WHERE d.adapter IS NOT NULL OR a.weights_digest IS NULL
     ORDER BY coalesce(a.members, 0) DESC, a.adapter`,
  );
  const latest = await readLatest(client);
  const counts = await client.query<CountsRow>(
    `SELECT ${REPLAYING} AS replaying, ${UNAPPLIED} AS unapplied, (SELECT cut FROM set_cut) AS "setCut",
            (SELECT coalesce(json_object_agg(partition, position::text), '{}') FROM offsets) AS offsets,
            (SELECT coalesce(sum(retained), 0)::bigint FROM offsets) AS retained,
            a.digests, a."builtIn",
            coalesce((SELECT generation FROM placement), 0) AS generation,
            ARRAY(SELECT DISTINCT request_id FROM deletions WHERE version IS NULL ORDER BY 1)
              AS deletions,
            ARRAY(SELECT DISTINCT traceparent FROM deletions
                  WHERE version IS NULL AND traceparent IS NOT NULL LIMIT ${MAX_LINKS}) AS asked,
            ARRAY(SELECT DISTINCT traceparent FROM dirty_adapters
                  WHERE traceparent IS NOT NULL LIMIT ${MAX_LINKS}) AS touched
     -- One text of all: a thousand rows would take longer than the rest of the plan.
     FROM (SELECT string_agg(coalesce(weights_digest, ''), ',') AS digests,
                  string_agg(coalesce(version::text, ''), ',') AS "builtIn"
           FROM (SELECT version, weights_digest FROM adapters ORDER BY adapter) AS each) AS a`,
  );
  const [row] = counts.rows;
  const deletions = row?.deletions ?? [];
  return {
    needed: row?.replaying === false && (row.unapplied || dirty.rows.some(({ marked }) => marked)),
    cut: readCutJson(row?.offsets ?? null) ?? {},
    dirty: dirty.rows.map(dirtyOf),
    retained: row?.retained ?? 0n,
    latest,
    generation: row?.generation ?? 0n,
    setCut: readCutJson(row?.setCut ?? null),
    digests: listed(row?.digests, (digest) => digest),
    builtIn: listed(row?.builtIn, Number),
    deletions,
    causes: { deletions: contexts(row?.asked), others: contexts(row?.touched) },
  };
}

/** What stands between commas, where there is something. */
const listed = <T>(text: string | null | undefined, read: (item: string) => T): (T | null)[] =>
  text?.split(',').map((item) => (item === '' ? null : read(item))) ?? [];

function dirtyOf({ digest, marked, resealed, ...dirty }: DirtyRow): DirtyAdapter {
  const isSame = marked && resealed && digest !== null;
  return { ...dirty, same: isSame ? { members: dirty.members ?? 0, digest } : null };
}

async function readLatest(client: Queryable): Promise<Latest | null> {
  const { rows } = await client.query<{ version: number; retired: boolean; leaf: Buffer | null }>(
    `SELECT version, retired_at IS NOT NULL AS retired, leaf FROM versions
     ORDER BY version DESC LIMIT 1`,
  );
  const [row] = rows;
  if (!row) return null;
  const leaf = row.leaf && decodeLeaf(row.leaf);
  const retainedRoot = leaf?.kind === 'version' ? Buffer.from(leaf.retainedRoot) : null;
  return { version: row.version, retired: row.retired, entry: row.leaf, retainedRoot };
}

const contexts = (traceparents: readonly string[] = []) =>
  traceparents.flatMap((traceparent) => readTrace(traceparent) ?? []);

const readCutJson = (json: Record<string, string> | null): Cut | null =>
  json && Object.fromEntries(Object.entries(json).map(([p, at]) => [p, BigInt(at)]));

/** The cut that the training sets are at; null before they are made. */
export async function readSetCut(client: Queryable): Promise<Cut | null> {
  const { rows } = await client.query<{ cut: Record<string, string> }>('SELECT cut FROM set_cut');
  return readCutJson(rows[0]?.cut ?? null);
}

/** JSON with positions as decimal strings: they may exceed what a JSON number holds exactly. */
export function cutJson(cut: Cut): Record<string, string> {
  return Object.fromEntries(Object.entries(cut).map(([p, position]) => [p, String(position)]));
}
