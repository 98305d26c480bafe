import type { ClientBase } from 'pg';
import type { Version } from '../events/version.js';
import type { AnchorPlace } from '../model/anchors.js';
import { copyInto } from '../store/copy.js';
import { CopyRows } from '../store/copy-rows.js';
import type { Position, SampleChange, StoredSample } from './changes.js';

/** Where keys are samples: whose key a sample may be. */
export type AnchorOf = ((sampleId: string) => AnchorPlace) | null;

/** Inserts the row of every sample that is there after the batch. */
export async function insertSamples(
  client: ClientBase,
  changes: readonly SampleChange[],
  anchorOf: AnchorOf,
): Promise<void> {
  const rows = new CopyRows();
  for (const { sampleId, after } of changes) {
    if (after) writeSample(rows, sampleId, after, anchorOf?.(sampleId));
  }
  if (rows.bytes().length > 0) await copyInto(client, `samples (${SAMPLE_COLUMNS})`, rows.bytes());
}

const SAMPLE_COLUMNS = `sample_id, partition, position, first_partition, first_position, label,
  encoding, adapters, ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
  ingest_position, correction_time, correction_id, correction_source, correction_digest, payloads,
  salt, commitment, membership, leaf_batch, leaf_entry, unplaced, anchor_adapter, anchor_priority`;

/** The fields in the order of the columns. */
function writeSample(
  rows: CopyRows,
  sampleId: string,
  sample: StoredSample,
  anchor: AnchorPlace | undefined,
): void {
  const { at, first, label, encoding, adapters, ingestAt, state } = sample;
  rows.row(27).text(sampleId).int4(at.partition).int8(at.position);
  rows.int4(first.partition).int8(first.position).int2(label).bytea(encoding).int4Array(adapters);
  writeVersion(rows, state.ingest);
  rows.int4(ingestAt?.partition ?? null).int8(ingestAt?.position ?? null);
  writeVersion(rows, state.correction);
  rows.jsonb(payloadsJson(sample.payloads));
  const { seal, leaf } = sample;
  rows.bytea(seal.salt).bytea(seal.commitment).bytea(seal.membership);
  rows.int8(leaf?.batch ?? null).int4(leaf?.entry ?? null);
  rows
    .bool(sample.unplaced)
    .int4(anchor?.adapter ?? null)
    .bytea(anchor?.priority ?? null);
}

function writeVersion(rows: CopyRows, version: Version | undefined): void {
  rows
    .int8(version?.time ?? null)
    .text(version?.eventId ?? null)
    .text(version?.source ?? null);
  rows.bytea(version ? Buffer.from(version.digest, 'hex') : null);
}

function payloadsJson(payloads: StoredSample['payloads']): string | null {
  if (!payloads) return null;
  return JSON.stringify(Object.fromEntries([...payloads].map(([p, at]) => [p, String(at)])));
}

/** Inserts the memberships of samples that have new content, in the order of the index, by COPY. */
export async function insertMemberships(
  client: ClientBase,
  added: readonly Pick<StoredSample, 'at' | 'adapters'>[],
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
