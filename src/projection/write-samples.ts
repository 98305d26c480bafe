import { byteaArray, int2Array, int4Array, int8Array, textArray } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import type { Position, SampleChange, StoredSample } from './changes.js';

/** Inserts the row of every sample that is there after the batch. */
export async function insertSamples(
  client: Queryable,
  changes: readonly SampleChange[],
): Promise<void> {
  const rows = changes.flatMap(({ sampleId, after }) => (after ? [{ sampleId, ...after }] : []));
  if (rows.length === 0) return;
  const ingests = rows.map(({ state }) => state.ingest ?? null);
  const corrections = rows.map(({ state }) => state.correction ?? null);
  const digest = (version: { digest: string } | null) =>
    version && Buffer.from(version.digest, 'hex');
  await client.query(
    `INSERT INTO samples (sample_id, partition, position, first_partition, first_position, label,
       encoding, adapters, ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
       ingest_position, correction_time, correction_id, correction_source, correction_digest)
     SELECT sample_id, partition, position, first_partition, first_position, label, encoding,
       adapters::int[], ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
       ingest_position, correction_time, correction_id, correction_source, correction_digest
     FROM unnest($1::text[], $2::int[], $3::int8[], $4::int[], $5::int8[], $6::int2[], $7::bytea[],
       $8::text[], $9::int8[], $10::text[], $11::text[], $12::bytea[], $13::int[], $14::int8[],
       $15::int8[], $16::text[], $17::text[], $18::bytea[])
     AS r(sample_id, partition, position, first_partition, first_position, label, encoding,
       adapters, ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
       ingest_position, correction_time, correction_id, correction_source, correction_digest)`,
    [
      textArray(rows.map(({ sampleId }) => sampleId)),
      int4Array(rows.map(({ at }) => at.partition)),
      int8Array(rows.map(({ at }) => at.position)),
      int4Array(rows.map(({ first }) => first.partition)),
      int8Array(rows.map(({ first }) => first.position)),
      int2Array(rows.map(({ label }) => label)),
      byteaArray(rows.map(({ encoding }) => encoding)),
      textArray(rows.map(({ adapters }) => `{${adapters.join(',')}}`)),
      int8Array(ingests.map((ingest) => ingest?.time ?? null)),
      textArray(ingests.map((ingest) => ingest?.eventId ?? null)),
      textArray(ingests.map((ingest) => ingest?.source ?? null)),
      byteaArray(ingests.map(digest)),
      int4Array(rows.map(({ ingestAt }) => ingestAt?.partition ?? null)),
      int8Array(rows.map(({ ingestAt }) => ingestAt?.position ?? null)),
      int8Array(corrections.map((correction) => correction?.time ?? null)),
      textArray(corrections.map((correction) => correction?.eventId ?? null)),
      textArray(corrections.map((correction) => correction?.source ?? null)),
      byteaArray(corrections.map(digest)),
    ],
  );
}

/** Inserts the memberships of samples that have new content, in the order of the index. */
export async function insertMemberships(
  client: Queryable,
  added: readonly StoredSample[],
): Promise<void> {
  if (added.length === 0) return;
  // By adapter and then place, as numbers: half a million objects a second would be sorted otherwise.
  const byPlace = [...added].sort((a, b) => comparePositions(a.at, b.at));
  const order = Float64Array.from(
    byPlace.flatMap(({ adapters }, i) => adapters.map((adapter) => adapter * SAMPLES + i)),
  ).sort();
  const adapters = new Array<number>(order.length);
  const partitions = new Array<number>(order.length);
  const positions = new Array<bigint>(order.length);
  order.forEach((key, row) => {
    const { at } = byPlace[key % SAMPLES] as StoredSample;
    adapters[row] = Math.floor(key / SAMPLES);
    partitions[row] = at.partition;
    positions[row] = at.position;
  });
  await client.query(
    `INSERT INTO memberships (adapter, partition, position)
     SELECT * FROM unnest($1::int[], $2::int[], $3::int8[])`,
    [int4Array(adapters), int4Array(partitions), int8Array(positions)],
  );
}

/** More than a batch can hold; times any adapter id it stays exact. */
const SAMPLES = 2 ** 32;

function comparePositions(a: Position, b: Position): number {
  return a.partition - b.partition || (a.position < b.position ? -1 : 1);
}
