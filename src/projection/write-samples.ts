import type { ClientBase } from 'pg';
import type { Version } from '../events/version.js';
import type { AnchorPlace } from '../model/anchors.js';
import { copyInto } from '../store/copy.js';
import { CopyRows } from '../store/copy-rows.js';
import type { LeafPlace, Position, SampleChange, StoredSample } from './changes.js';

/** Where keys are samples: whose key a sample may be. */
export type AnchorOf = ((sampleId: string) => AnchorPlace) | null;

/** Inserts the row of every sample that is there after the batch. `leafOf`: its entry in the audit log. */
export async function insertSamples(
  client: ClientBase,
  changes: readonly SampleChange[],
  leafOf: (sample: StoredSample) => LeafPlace | null,
  anchorOf: AnchorOf,
): Promise<void> {
  const rows = new CopyRows(
    changes.length * (ROW_BYTES + (changes[0]?.after?.encoding.length ?? 0)),
  );
  for (const { sampleId, after } of changes) {
    if (after) writeSample(rows, sampleId, after, leafOf(after), anchorOf?.(sampleId));
  }
  if (rows.bytes().length > 0) await copyInto(client, `samples (${SAMPLE_COLUMNS})`, rows.bytes());
}

/** More than a row takes without its encoding, with ids and sources of usual length. */
const ROW_BYTES = 640;

const SAMPLE_COLUMNS = `sample_id, partition, position, first_partition, first_position, label,
  encoding, adapters, ingest_time, ingest_id, ingest_source, ingest_digest, ingest_partition,
  ingest_position, correction_time, correction_id, correction_source, correction_digest, payloads,
  salt, commitment, membership, leaf_batch, leaf_entry, unplaced, anchor_adapter, anchor_priority`;

/** The fields in the order of the columns. */
function writeSample(
  rows: CopyRows,
  sampleId: string,
  sample: StoredSample,
  leaf: LeafPlace | null,
  anchor: AnchorPlace | undefined,
): void {
  const { at, first, label, encoding, adapters, ingestAt, state } = sample;
  rows.row(27).text(sampleId).int4(at.partition).int8(at.position);
  rows.int4(first.partition).int8(first.position).int2(label).bytea(encoding).int4Array(adapters);
  writeVersion(rows, state.ingest);
  rows.int4(ingestAt?.partition ?? null).int8(ingestAt?.position ?? null);
  writeVersion(rows, state.correction);
  rows.jsonb(payloadsJson(sample.payloads));
  const { seal } = sample;
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
  rows.hex(version?.digest ?? null);
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
  const byPlace = [...added].sort((a, b) => comparePositions(a.at, b.at));
  const next = firstRows(byPlace);
  const bytes = Buffer.alloc(ROW.length * (next.at(-1) as number), ROW);
  for (const { adapters, at } of byPlace) {
    const high = Number(at.position >> 32n);
    const low = Number(at.position & 0xffffffffn);
    for (const adapter of adapters) {
      const row = ROW.length * (next[adapter] as number);
      next[adapter] = (next[adapter] as number) + 1;
      bytes.writeInt32BE(adapter, row + 6);
      bytes.writeInt32BE(at.partition, row + 14);
      bytes.writeInt32BE(high, row + 22);
      bytes.writeUInt32BE(low, row + 26);
    }
  }
  await copyInto(client, 'memberships (adapter, partition, position)', bytes);
}

/** The row at which each adapter's members begin, by counting; behind the last one, how many there are. */
function firstRows(samples: readonly Pick<StoredSample, 'adapters'>[]): Int32Array {
  let last = 0;
  for (const { adapters } of samples)
    for (const adapter of adapters) last = Math.max(last, adapter);
  const rows = new Int32Array(last + 2);
  for (const { adapters } of samples) {
    for (const adapter of adapters) rows[adapter + 1] = (rows[adapter + 1] as number) + 1;
  }
  for (let i = 1; i < rows.length; i++) rows[i] = (rows[i] as number) + (rows[i - 1] as number);
  return rows;
}

/** Two int and one bigint in COPY's binary format, yet without values: field count, then length and value of each. */
const ROW = Buffer.from(
  '0003 00000004 00000000 00000004 00000000 00000008 0000000000000000'.replaceAll(' ', ''),
  'hex',
);

function comparePositions(a: Position, b: Position): number {
  return a.partition - b.partition || (a.position < b.position ? -1 : 1);
}
