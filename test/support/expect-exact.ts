import { expect } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import type { Model } from '#src/model/model.js';
import { expected, RAW, type Step } from './histories.js';
import type { Pipeline } from './pipeline.js';
import { contentsOf, type Held, isBefore } from './play.js';
import { tablesWith } from './tables-with.js';

/**
 * A version is retired as soon as a later one lacks something that it holds, and only then; but content that went
 * and came back in between, by another correction or in a replay under another record, counts as gone.
 */
export async function expectRetired(
  model: Model,
  pipeline: Pipeline,
  held: Held,
  steps: readonly Step[],
  seen: readonly LogRecord[],
) {
  // Of several partitions nobody knows what came between; so it is in a replay.
  const unknown = pipeline.partitions > 1 || steps.some(({ kind }) => kind === 'replay');
  const { rows } = await pipeline.database.pool.query(
    `SELECT v.version, v.retired_at IS NOT NULL AS retired, v.cut, r.cut AS until
     FROM versions v LEFT JOIN versions r ON r.version = v.retired_by ORDER BY v.version`,
  );
  for (const { version, retired, cut, until } of rows) {
    const own = [...(held.get(version) ?? [])];
    const lacks = (set: ReadonlySet<string>) => own.some((content) => !set.has(content));
    const lacking = [...held].some(([other, set]) => other > version && lacks(set));
    if (lacking || !retired) expect([version, retired]).toEqual([version, lacking]);
    else if (!unknown) {
      const between = seen.filter((record) => !isBefore(cut, record) && isBefore(until, record));
      const went = between.some(({ position }) => lacks(contentsAt(model, seen, position)));
      expect([version, went]).toEqual([version, true]);
    }
  }
}

/** Sample and content of all that is retained after the record at a position. */
function contentsAt(model: Model, seen: readonly LogRecord[], last: bigint): ReadonlySet<string> {
  const { retained } = expected(
    model,
    seen.filter(({ position }) => position <= last),
  );
  return contentsOf(retained);
}

/** The tables are the decider's twin: the same samples with the same content, the same conflicts. */
export async function expectProjected(
  { database }: Pipeline,
  retained: ReadonlyMap<string, string>,
  conflicts: ReadonlyMap<string, ReadonlySet<string>>,
) {
  const samples = await database.pool.query(
    `SELECT sample_id, encode(coalesce(correction_digest, ingest_digest), 'hex') AS digest FROM samples`,
  );
  const stored = samples.rows.map(({ sample_id, digest }) => [sample_id, digest]);
  expect(Object.fromEntries(stored)).toEqual(Object.fromEntries(retained));
  const letters = await database.pool.query(
    'SELECT key, digest FROM dead_letters WHERE digest IS NOT NULL',
  );
  const wanted = [...conflicts].flatMap(([key, digests]) => [...digests].map((d) => `${key} ${d}`));
  expect(letters.rows.map(({ key, digest }) => `${key} ${digest}`).sort()).toEqual(wanted.sort());
}

/** Nothing of a deleted sample stays: no payload in the log, no membership, no orphaned weights. */
export async function expectErased(
  model: Model,
  { database }: Pipeline,
  retained: ReadonlyMap<string, string>,
) {
  const { rows } = await database.pool.query(
    `SELECT (SELECT count(*) FROM dirty_adapters) AS dirty,
            (SELECT count(*) FROM deletions WHERE version IS NULL) AS unapplied,
            (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
            (SELECT count(*) FROM erasures WHERE NOT restated) AS unerased,
            (SELECT count(*) FROM samples) - (SELECT coalesce(sum(retained), 0) FROM offsets)
              AS miscounted,
            (SELECT count(*) FROM versions v WHERE retired_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM versions n WHERE n.version > v.version)) AS retired,
            (SELECT count(*) FROM memberships m WHERE NOT EXISTS
               (SELECT FROM samples s WHERE (s.partition, s.position) = (m.partition, m.position)))
              AS orphans,
            (SELECT count(*) FROM weights w WHERE NOT EXISTS
               (SELECT FROM adapter_revisions r WHERE r.weights_digest = w.digest AND NOT erased))
              AS stray,
            (SELECT count(*) FROM samples WHERE unplaced) + (SELECT count(*) FROM moves)
              + (SELECT count(*) FROM placement WHERE generation <> built) AS unplaced,
            (SELECT count(*) FROM log_records l JOIN tombstones t ON t.sample_id = l.key
             WHERE l.topic LIKE 'sample-events%' AND l.value IS NOT NULL
               AND convert_from(l.value, 'UTF8') SIMILAR TO '%("encoding"|"of":)%') AS payloads,
            (SELECT count(*) FROM dead_letters d JOIN tombstones t ON t.sample_id = d.key
             WHERE d.value IS NOT NULL) AS letters`,
  );
  const none = { dirty: 0n, unapplied: 0n, unpublished: 0n, unerased: 0n };
  expect(rows[0]).toMatchObject({
    ...none,
    miscounted: '0',
    retired: 0n,
    orphans: 0n,
    stray: 0n,
    unplaced: 0n,
    payloads: 0n,
    letters: 0n,
  });
  const memberships = await database.pool.query('SELECT count(*) FROM memberships');
  const { activated } = model.configuration;
  expect(memberships.rows[0].count).toBe(BigInt(retained.size * activated));
}

/** Raw inputs are in no table, the log among them, once it has kept the last record of each key alone. */
export async function expectNoInputs(pipeline: Pipeline) {
  await pipeline.compact();
  expect(await tablesWith(pipeline.database, RAW)).toEqual([]);
  expect((await pipeline.database.pool.query('SELECT FROM erasures')).rowCount).toBe(0);
}
