import type { ClientBase } from 'pg';
import { byteaArray, int2Array, int4Array, int8Array, textArray } from '../store/arrays.js';
import { copyInto } from '../store/copy.js';
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
       ingest_position, correction_time, correction_id, correction_source, correction_digest,
       payloads)
     SELECT sample_id, partition, position, first_partition, first_position, label, encoding,
       adapters::int[], ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
       ingest_position, correction_time, correction_id, correction_source, correction_digest,
       payloads::jsonb
     FROM unnest($1::text[], $2::int[], $3::int8[], $4::int[], $5::int8[], $6::int2[], $7::bytea[],
       $8::text[], $9::int8[], $10::text[], $11::text[], $12::bytea[], $13::int[], $14::int8[],
       $15::int8[], $16::text[], $17::text[], $18::bytea[],
       $19::text[])
     AS r(sample_id, partition, position, first_partition, first_position, label, encoding,
       adapters, ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
       ingest_position, correction_time, correction_id, correction_source, correction_digest,
       payloads)`,
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
      textArray(rows.map(payloadsJson)),
    ],
  );
}

/** Null for what nearly every sample has: the partition of its first content. */
function payloadsJson({ first, payloads }: StoredSample): string | null {
  if (payloads.size === 1 && payloads.get(first.partition) === first.position) return null;
  return JSON.stringify(Object.fromEntries([...payloads].map(([p, at]) => [p, String(at)])));
}

/** Inserts the memberships of samples that have new content, in the order of the index, by COPY. */
export async function insertMemberships(
  client: ClientBase,
  added: readonly StoredSample[],
): Promise<void> {
  if (added.length === 0) return;
  // By adapter and then place, as numbers: half a million objects a second would be sorted otherwise.
  const byPlace = [...added].sort((a, b) => comparePositions(a.at, b.at));
  const order = Float64Array.from(
    byPlace.flatMap(({ adapters }, i) => adapters.map((adapter) => adapter * SAMPLES + i)),
  ).sort();
  const row = Buffer.alloc(ROW_BYTES);
  row.writeInt16BE(3, 0);
  row.writeInt32BE(4, 2);
  row.writeInt32BE(4, 10);
  row.writeInt32BE(8, 18);
  // Each sample's row but for the adapter, made once for its memberships.
  const rows = byPlace.map(({ at }) => {
    row.writeInt32BE(at.partition, 14);
    row.writeBigInt64BE(at.position, 22);
    return Buffer.from(row);
  });
  const bytes = Buffer.allocUnsafe(order.length * ROW_BYTES);
  order.forEach((key, n) => {
    bytes.set(rows[key % SAMPLES] as Buffer, n * ROW_BYTES);
    bytes.writeInt32BE(Math.floor(key / SAMPLES), n * ROW_BYTES + 6);
  });
  await copyInto(client, 'memberships (adapter, partition, position)', bytes);
}

/** A row of two int and one bigint in COPY's binary format: field count, then length and value of each. */
const ROW_BYTES = 2 + 4 + 4 + 4 + 4 + 4 + 8;
/** More than a batch can hold; times any adapter id it stays exact. */
const SAMPLES = 2 ** 32;

function comparePositions(a: Position, b: Position): number {
  return a.partition - b.partition || (a.position < b.position ? -1 : 1);
}
