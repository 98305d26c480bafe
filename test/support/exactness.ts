import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEncoder } from '#src/engine/open-encoder.js';
import { RECORD_TIME_HEADER } from '#src/events/record.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { Encoder } from '#src/model/encoder.js';
import type { Model } from '#src/model/model.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { expectErased, expectNoInputs, expectProjected, expectRetired } from './expect-exact.js';
import { expected, histories as randomHistories } from './histories.js';
import { tinyModel } from './models.js';
import { Pipeline } from './pipeline.js';
import { digestOf, type Held, note, play, type Subject, sampleOf, unseen } from './play.js';
import { expectCertified, expectReplayed } from './replay-database.js';
import { memorySigner } from './signer.js';
import { NO_FILES } from './tfjs-models.js';

const kernel = await loadWasmKernel();

const texts = { kind: 'hashing-text', dimension: 3, scale: 5, analyzer: 'char', norm: 'none' };

/** A small model with any kind of adapter. Events bring encodings and texts. */
export const smallModel = (changes: Record<string, unknown> = {}): Model =>
  tinyModel({ adapters: 4, encoder: texts, ...changes });

/** Checks the equation over random histories on a log that compacts and has so many partitions, or null: keeps all. */
export function exactnessProperty(
  partitions: number | null,
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
        fc.asyncProperty(randomHistories(model, partitions), async (steps) => {
          const signer = memorySigner();
          const open = () =>
            new Pipeline(main.url, model, kernel, partitions !== null, signer, {
              encoder,
              trainer,
              partitions: partitions ?? 1,
            });
          const { pipeline, seen, held } = await play(subject, open, steps);
          try {
            await pipeline.finish();
            seen.push(...(await unseen(pipeline, seen)));
            await note(subject, pipeline, seen, held);
            await expectRetired(model, pipeline, held, steps, seen);
            const { events, retained, conflicts, rows } = expected(model, seen);
            await expectProjected(pipeline, retained, conflicts);
            const served = await latest(pipeline);
            if (served === null) expect(events).toHaveLength(0);
            else expect(served).toBe(digestOf(subject, rows));
            await expectErased(model, pipeline, retained);
            await expectNoInputs(pipeline);
            const vkey = await pipeline.vkey();
            await expectReplayed(pipeline.database, vkey);
            const certified = await expectCertified(pipeline.database, vkey);
            expect(certified).toEqual(expect.arrayContaining(goneOf(held, retained)));
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

/** Samples that a version has held and that are gone. */
function goneOf(held: Held, retained: ReadonlyMap<string, string>): string[] {
  const ever = new Set([...held.values()].flatMap((contents) => [...contents].map(sampleOf)));
  return [...ever].filter((sampleId) => !retained.has(sampleId));
}

async function latest({ database }: Pipeline): Promise<string | null> {
  const { rows } = await database.pool.query(
    'SELECT model_digest FROM versions ORDER BY version DESC LIMIT 1',
  );
  return rows[0]?.model_digest ?? null;
}

/** A run on another database that sees only what the first one's log still holds. */
async function withoutDeleted(subject: Subject, counterfactual: Pipeline, { database }: Pipeline) {
  await counterfactual.begin();
  const { rows } = await database.pool.query(
    `SELECT key, value, headers, time FROM log_records l
     WHERE topic LIKE 'sample-events%' AND EXISTS (SELECT FROM samples s WHERE s.sample_id = l.key)
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
