import { stateRecord } from '../events/own-records.js';
import { contentInForce } from '../events/retention.js';
import type { Model } from '../model/model.js';
import type { StoredSample } from '../projection/changes.js';
import { isFromInput } from '../projection/interpret.js';
import { loadSamples } from '../projection/load.js';
import { int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Queryable, transaction } from '../store/database.js';
import type { PublishOptions } from './options.js';
import { watchInputs } from './watch-inputs.js';

export type RestateOptions = PublishOptions & {
  readonly model: Model;
  /** Until then a raw input must be gone, once its sample is written again. */
  readonly erasureDeadlineMs: number;
  /** Those that may be written to; by default all. */
  readonly partitions?: ReadonlySet<number>;
};

type Row = { sample_id: string; partition: number; position: bigint; raw: boolean };

const BATCH = 500;

/**
 * Writes samples into the log again whose last record in a partition does not say all that is known of
 * them, for compaction keeps no other, or may be a raw input, which must go. A crash between writing and
 * marking writes once more, which changes nothing; neither does a sample deleted meanwhile, which is erased
 * like any content that comes late. What the consumer has not read may be superseded: see `CaughtUp`.
 */
export async function restate(options: RestateOptions): Promise<void> {
  const { database, log, topic, partitions, reached = () => {} } = options;
  const which = partitions ? int4Array([...partitions]) : null;
  for (;;) {
    const { rows, samples } = await transaction(
      database.pool,
      async (client) => {
        const found = await client.query<Row>(
          `SELECT sample_id, partition, position, raw FROM restatements
           WHERE $1::int[] IS NULL OR partition = ANY($1)
           ORDER BY sample_id, partition LIMIT ${BATCH}`,
          [which],
        );
        const ids = textArray(found.rows.map((row) => row.sample_id));
        return { rows: found.rows, samples: await loadSamples(client, ids) };
      },
      'ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
    if (rows.length === 0) return;
    const written = rows.flatMap((row) => {
      const sample = samples.get(row.sample_id);
      const record = sample && recordOf(options.model, row, sample);
      return record ? [{ row, record }] : [];
    });
    reached('restate.before');
    const places = await log.append(
      topic,
      written.map(({ record }) => record),
    );
    reached('restate.after');
    const raw = written.flatMap(({ row }, i) => {
      const by = places[i];
      const { sample_id: sampleId, partition, position } = row;
      return row.raw && by ? [{ sampleId, partition, position, by }] : [];
    });
    await transaction(database.pool, async (client) => {
      await watchInputs(client, raw, options.erasureDeadlineMs);
      await forget(client, rows);
    });
  }
}

/** Whether samples wait to be written again. */
export async function hasRestatements(client: Queryable): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM restatements LIMIT 1');
  return rowCount === 1;
}

/** A record that came meanwhile has a later position: its sample is to be written again. */
async function forget(client: Queryable, rows: readonly Row[]): Promise<void> {
  await client.query(
    `WITH written AS (
       SELECT sample_id, partition
       FROM restatements JOIN unnest($1::text[], $2::int[], $3::int8[])
         AS d(sample_id, partition, position) USING (sample_id, partition, position)
       ORDER BY sample_id, partition FOR UPDATE OF restatements
     )
     DELETE FROM restatements r USING written w
     WHERE r.sample_id = w.sample_id AND r.partition = w.partition`,
    [
      textArray(rows.map((row) => row.sample_id)),
      int4Array(rows.map((row) => row.partition)),
      int8Array(rows.map((row) => row.position)),
    ],
  );
}

function recordOf(model: Model, { sample_id, partition }: Row, sample: StoredSample) {
  const label = model.configuration.classes[sample.label];
  if (label === undefined) return null;
  const record = stateRecord(sample_id, label, sample.encoding, rememberedOf(model, sample));
  return { ...record, partition };
}

function rememberedOf({ encoderDigest }: Model, { label, encoding, state }: StoredSample) {
  const version = contentInForce(state);
  const fromInput = version && isFromInput(label, encoding, version);
  return fromInput ? { ...state, encoder: encoderDigest } : state;
}
