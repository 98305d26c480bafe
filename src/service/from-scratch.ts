import { setImmediate as breathe } from 'node:timers/promises';
import { type BuiltModel, buildSteps } from '../model/build.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import type { Rows } from '../model/statistics.js';
import type { Trainer } from '../model/trainer.js';
import { type Database, type Queryable, queryPrepared, transaction } from '../store/database.js';

/** A build that used nothing but the retained samples, and what it is to be compared with. */
export type FromScratch = BuiltModel & {
  readonly samples: number;
  /** The newest version, and whether samples have changed since its cut. */
  readonly published: { readonly version: number; readonly modelDigest: string } | null;
  readonly behind: boolean;
};

/** Rows to a fetch. */
const PAGE = 4096;

/**
 * Builds the whole model in memory, from ids, encodings and labels of the retained samples alone: keys,
 * memberships and statistics are worked out again. Softmax adapters take a trainer on the model's backend. Reads in
 * one snapshot. Throws the signal's reason.
 */
export async function buildFromScratch(
  { pool }: Database,
  kernel: Kernel,
  model: Model,
  signal: AbortSignal,
  onAdapter: (done: number) => void = () => {},
  trainer: Trainer | null = null,
): Promise<FromScratch> {
  const { rows, published, behind } = await transaction(
    pool,
    async (client) => ({
      rows: await readRetained(client, model.shape.dimension, signal),
      ...(await readPublished(client)),
    }),
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  const steps = buildSteps(kernel, model, rows, trainer);
  for (;;) {
    const step = steps.next();
    if (step.done) return { ...step.value, samples: rows.labels.length, published, behind };
    onAdapter(step.value);
    // Signals and timers are heard only between two turns of the event loop.
    await breathe();
    signal.throwIfAborted();
  }
}

type Retained = { sample_id: string; label: number; encoding: Buffer };

async function readRetained(
  client: Queryable,
  dimension: number,
  signal: AbortSignal,
): Promise<Rows> {
  const { rows } = await client.query<{ count: bigint }>('SELECT count(*) FROM samples');
  const count = Number(rows[0]?.count ?? 0n);
  const encodings = new Int8Array(count * dimension);
  const labels = new Uint16Array(count);
  const ids: string[] = [];
  await client.query(
    'DECLARE retained NO SCROLL CURSOR FOR SELECT sample_id, label, encoding FROM samples',
  );
  for (let at = 0; at < count; ) {
    signal.throwIfAborted();
    const page = await queryPrepared<Retained>(client, `FETCH ${PAGE} FROM retained`, []);
    for (const { sample_id, label, encoding } of page.rows) {
      ids.push(sample_id);
      encodings.set(encoding, at * dimension);
      labels[at++] = label;
    }
  }
  return { encodings, labels, ids };
}

async function readPublished(
  client: Queryable,
): Promise<Pick<FromScratch, 'published' | 'behind'>> {
  const { rows } = await client.query<{ version: number; modelDigest: string; dirty: boolean }>(
    `SELECT version, model_digest AS "modelDigest",
            EXISTS (SELECT FROM dirty_adapters) AS dirty
     FROM versions ORDER BY version DESC LIMIT 1`,
  );
  const [row] = rows;
  return { published: row ?? null, behind: row?.dirty ?? false };
}
