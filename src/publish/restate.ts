import { stateRecord } from '../events/own-records.js';
import { contentInForce } from '../events/retention.js';
import type { Model } from '../model/model.js';
import type { StoredSample } from '../projection/changes.js';
import { isFromInput } from '../projection/interpret.js';
import { loadSamples } from '../projection/load.js';
import { int4Array, int8Array, textArray } from '../store/arrays.js';
import { transaction } from '../store/database.js';
import type { PublishOptions } from './options.js';

export type RestateOptions = PublishOptions & { readonly model: Model };

type Row = { sample_id: string; partition: number; position: bigint };

const BATCH = 500;

/**
 * Writes samples into the log again whose last record in a partition does not say all that is known of
 * them: compaction keeps no other. A crash between writing and marking writes once more, which changes
 * nothing; neither does a sample deleted meanwhile, which is erased like any content that comes late.
 */
export async function restate(options: RestateOptions): Promise<void> {
  const { database, log, topic, model, reached = () => {} } = options;
  for (;;) {
    const { rows, samples } = await transaction(
      database.pool,
      async (client) => {
        const found = await client.query<Row>(
          `SELECT sample_id, partition, position FROM restatements
           ORDER BY sample_id, partition LIMIT ${BATCH}`,
        );
        const ids = textArray(found.rows.map((row) => row.sample_id));
        return { rows: found.rows, samples: await loadSamples(client, ids) };
      },
      'ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
    if (rows.length === 0) return;
    const records = rows.flatMap(({ sample_id, partition }) => {
      const sample = samples.get(sample_id);
      const label = model.configuration.classes[sample?.label ?? -1];
      if (!sample || label === undefined) return [];
      const record = stateRecord(sample_id, label, sample.encoding, rememberedOf(model, sample));
      return [{ ...record, partition }];
    });
    reached('restate.before');
    await log.append(topic, records);
    reached('restate.after');
    // A record that came meanwhile has a later position: its sample is to be written again.
    await database.pool.query(
      `DELETE FROM restatements r USING unnest($1::text[], $2::int[], $3::int8[]) AS d(id, partition, position)
       WHERE r.sample_id = d.id AND r.partition = d.partition AND r.position = d.position`,
      [
        textArray(rows.map((row) => row.sample_id)),
        int4Array(rows.map((row) => row.partition)),
        int8Array(rows.map((row) => row.position)),
      ],
    );
  }
}

function rememberedOf({ encoderDigest }: Model, { label, encoding, state }: StoredSample) {
  const version = contentInForce(state);
  const fromInput = version && isFromInput(label, encoding, version);
  return fromInput ? { ...state, encoder: encoderDigest } : state;
}
