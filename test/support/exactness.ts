import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEncoder } from '#src/engine/open-encoder.js';
import { type LogRecord, RECORD_TIME_HEADER } from '#src/events/record.js';
import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { buildModel } from '#src/model/build.js';
import type { Encoder } from '#src/model/encoder.js';
import type { Model } from '#src/model/model.js';
import type { Rows } from '#src/model/statistics.js';
import type { Trainer } from '#src/model/trainer.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { expected, RAW, histories as randomHistories, type Step } from './histories.js';
import { tinyModel } from './models.js';
import { Pipeline } from './pipeline.js';
import { expectCertified, expectReplayed } from './replay-database.js';
import { memorySigner } from './signer.js';
import { tablesWith } from './tables-with.js';
import { NO_FILES } from './tfjs-models.js';

const kernel = await loadWasmKernel();

/** What the equation is of: a model, and for softmax adapters what trains them. */
type Subject = { readonly model: Model; readonly trainer: Trainer | null };

const texts = { kind: 'hashing-text', dimension: 3, scale: 5, analyzer: 'char', norm: 'none' };

/** A small model with any kind of adapter. Events bring encodings and texts. */
export const smallModel = (changes: Record<string, unknown> = {}): Model =>
  tinyModel({ adapters: 4, encoder: texts, ...changes });

const digestOf = ({ model, trainer }: Subject, rows: Rows) =>
  buildModel(plainKernel, model, rows, trainer).modelDigest;

/** Checks the equation over random histories on a log that compacts or does not. */
export function exactnessProperty(
  compacts: boolean,
  histories: number,
  subject: Subject = { model: smallModel(), trainer: null },
): void {
  const { model, trainer } = subject;
  let main: TestDatabase;
  let other: TestDatabase;
  let counterfactual: Pipeline;
  let encoder: Encoder | null;

  beforeAll(async () => {
    main = await createTestDatabase();
    other = await createTestDatabase();
    encoder = await openEncoder(model, NO_FILES);
    counterfactual = new Pipeline(other.url, model, kernel, false, undefined, { encoder, trainer });
  });
  afterAll(async () => {
    await counterfactual.close();
    await main.drop();
    await other.drop();
  });

  it(
    'holds after any history: what is in service is what was built without the deleted',
    async () => {
      await fc.assert(
        fc.asyncProperty(randomHistories(model, compacts), async (steps) => {
          const signer = memorySigner();
          const open = () =>
            new Pipeline(main.url, model, kernel, compacts, signer, { encoder, trainer });
          const { pipeline, seen, held } = await play(subject, open, steps);
          try {
            await pipeline.finish();
            seen.push(...(await unseen(pipeline, seen)));
            await note(subject, pipeline, seen, held);
            await expectRetired(model, pipeline, held, steps, seen);
            const { retained, conflicts, rows } = expected(model, seen);
            await expectProjected(pipeline, retained, conflicts);
            const served = await latest(pipeline);
            if (served === null) expect(seen).toHaveLength(0);
            else expect(served).toBe(digestOf(subject, rows));
            await expectErased(model, pipeline, retained);
            await expectNoInputs(pipeline);
            const vkey = await pipeline.vkey();
            await expectReplayed(pipeline.database, vkey);
            await expectCertified(pipeline.database, vkey);
            if (served !== null)
              expect(await withoutDeleted(subject, counterfactual, pipeline)).toBe(served);
          } finally {
            await pipeline.close();
          }
        }),
        { numRuns: histories },
      );
    },
    30 * 60_000,
  );
}

/** Plays the steps; every version on the way is checked against its own cut. */
async function play(subject: Subject, open: () => Pipeline, steps: readonly Step[]) {
  let pipeline = open();
  let seen: LogRecord[] = [];
  const held: Held = new Map();
  await pipeline.begin();
  for (const step of steps) {
    if (step.kind === 'append') {
      await pipeline.append(step.records);
      // What is erased later was seen here.
      seen.push(...(await unseen(pipeline, seen)));
    } else if (step.kind === 'project') await pipeline.project(step.count);
    else if (step.kind === 'build') {
      const { meanwhile } = step;
      await pipeline.build(async () => {
        if (meanwhile > 0) await pipeline.project(meanwhile);
      });
    } else if (step.kind === 'race') await race(pipeline);
    else if (step.kind === 'compact') await pipeline.compact();
    else if (step.kind === 'replay') {
      await pipeline.replay();
      // What is erased already is not projected again; what is compacted says no more than the rest.
      if (!pipeline.log.compacts) seen = await pipeline.records();
    } else if (step.kind === 'publish') await pipeline.publish();
    else {
      await pipeline.close();
      pipeline = open();
    }
    seen.push(...(await unseen(pipeline, seen)));
    await note(subject, pipeline, seen, held);
  }
  return { pipeline, seen, held };
}

async function race(pipeline: Pipeline): Promise<void> {
  const outcomes = await Promise.allSettled([pipeline.build(), pipeline.build()]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('build_overtaken');
  }
}

async function unseen(pipeline: Pipeline, seen: readonly LogRecord[]): Promise<LogRecord[]> {
  const last = seen.at(-1)?.position ?? -1n;
  return (await pipeline.records()).filter(({ position }) => position > last);
}

/** Sample and content of everything that a version was built from. */
type Held = Map<number, ReadonlySet<string>>;

/** Every new version is what its own cut gives. */
async function note(
  subject: Subject,
  { database }: Pipeline,
  seen: readonly LogRecord[],
  held: Held,
) {
  const { model } = subject;
  const { rows } = await database.pool.query(
    `SELECT version, model_digest, (cut ->> '0')::bigint AS cut FROM versions
     WHERE version > $1 ORDER BY version`,
    [held.size],
  );
  for (const { version, cut, model_digest } of rows) {
    const covered = expected(
      model,
      seen.filter(({ position }) => position < cut),
    );
    expect(model_digest).toBe(digestOf(subject, covered.rows));
    held.set(version, new Set([...covered.retained].map(([id, digest]) => `${id} ${digest}`)));
  }
}

/**
 * A version is retired as soon as a later one lacks something that it holds, and only then; but content that went
 * and came back in between, by another correction or in a replay under another record, counts as gone.
 */
async function expectRetired(
  model: Model,
  { database }: Pipeline,
  held: Held,
  steps: readonly Step[],
  seen: readonly LogRecord[],
) {
  const replayed = steps.some(({ kind }) => kind === 'replay');
  const { rows } = await database.pool.query(
    `SELECT v.version, v.retired_at IS NOT NULL AS retired, (v.cut ->> '0')::bigint AS cut,
            (r.cut ->> '0')::bigint AS until
     FROM versions v LEFT JOIN versions r ON r.version = v.retired_by ORDER BY v.version`,
  );
  for (const { version, retired, cut, until } of rows) {
    const own = [...(held.get(version) ?? [])];
    const lacks = (set: ReadonlySet<string>) => own.some((content) => !set.has(content));
    const lacking = [...held].some(([other, set]) => other > version && lacks(set));
    if (lacking || !retired) expect([version, retired]).toEqual([version, lacking]);
    else if (!replayed) {
      const between = seen.filter(({ position }) => cut <= position && position < until);
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
  return new Set([...retained].map(([id, digest]) => `${id} ${digest}`));
}

/** The tables are the decider's twin: the same samples with the same content, the same conflicts. */
async function expectProjected(
  { database }: Pipeline,
  retained: ReadonlyMap<string, string>,
  conflicts: ReadonlyMap<string, ReadonlySet<string>>,
) {
  const samples = await database.pool.query(
    `SELECT sample_id, encode(coalesce(correction_digest, ingest_digest), 'hex') AS digest FROM samples`,
  );
  const stored = samples.rows.map(({ sample_id, digest }) => [sample_id, digest]);
  expect(Object.fromEntries(stored)).toEqual(Object.fromEntries(retained));
  const letters = await database.pool.query('SELECT key, digest FROM dead_letters');
  const wanted = [...conflicts].flatMap(([key, digests]) => [...digests].map((d) => `${key} ${d}`));
  expect(letters.rows.map(({ key, digest }) => `${key} ${digest}`).sort()).toEqual(wanted.sort());
}

async function latest({ database }: Pipeline): Promise<string | null> {
  const { rows } = await database.pool.query(
    'SELECT model_digest FROM versions ORDER BY version DESC LIMIT 1',
  );
  return rows[0]?.model_digest ?? null;
}

/** Nothing of a deleted sample stays: no payload in the log, no membership, no orphaned weights. */
async function expectErased(
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
             WHERE l.topic = 'sample-events' AND l.value IS NOT NULL
               AND convert_from(l.value, 'UTF8') LIKE '%encoding%') AS payloads`,
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
  });
  const memberships = await database.pool.query('SELECT count(*) FROM memberships');
  const { activated } = model.configuration;
  expect(memberships.rows[0].count).toBe(BigInt(retained.size * activated));
}

/** Raw inputs are in no table, the log among them, once it has kept the last record of each key alone. */
async function expectNoInputs(pipeline: Pipeline) {
  await pipeline.compact();
  expect(await tablesWith(pipeline.database, RAW)).toEqual([]);
  expect((await pipeline.database.pool.query('SELECT FROM erasures')).rowCount).toBe(0);
}

/** A run on another database that sees only what the first one's log still holds. */
async function withoutDeleted(subject: Subject, counterfactual: Pipeline, { database }: Pipeline) {
  await counterfactual.begin();
  const { rows } = await database.pool.query(
    `SELECT key, value, headers, time FROM log_records l
     WHERE topic = 'sample-events' AND EXISTS (SELECT FROM samples s WHERE s.sample_id = l.key)
     ORDER BY position`,
  );
  // An event without a time took its record's: so it does there.
  await counterfactual.append(
    rows.map(({ time, ...record }) => ({
      ...record,
      headers: { [RECORD_TIME_HEADER]: String(time), ...record.headers },
    })),
  );
  await counterfactual.finish();
  return (
    (await latest(counterfactual)) ??
    digestOf(subject, { encodings: new Int8Array(), labels: [], ids: [] })
  );
}
