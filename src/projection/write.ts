import type { ClientBase } from 'pg';
import type { Kernel } from '../model/kernel.js';
import type { Shape } from '../model/statistics.js';
import { byteaArray, int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import { UNPLACED } from '../store/placement.js';
import { lockAdapters } from '../store/row-locks.js';
import { type RemovedMember, subtractRemoved } from '../store/statistics.js';
import { queueEntries } from '../store/tlog-queue.js';
import type { Changes, Position, SampleChange, SealedSample, StoredSample } from './changes.js';
import { leavesOf, placeOf } from './leaves.js';
import { writeEvidence } from './write-evidence.js';
import { writeGone } from './write-gone.js';
import { writeLetters } from './write-letters.js';
import { placeRequests, writeRequests } from './write-requests.js';
import { type AnchorOf, insertMemberships, insertSamples } from './write-samples.js';

/** What taking a removed sample out of the kept statistics needs, and what says whose anchor one may be. */
export type Arithmetic = {
  readonly kernel: Kernel;
  readonly shape: Shape;
  readonly anchorOf: AnchorOf;
  /** Leaves it to the next build, unless it returns false. */
  readonly handOver: (removed: readonly RemovedSample[]) => boolean;
};

/** A sample's content, and the record that took it away. */
export type RemovedSample = StoredSample & { readonly sampleId: string; readonly by: Position };

/** A batch's last record, and the W3C trace context of what projects it. */
export type Mark = Position & { readonly traceparent: string | null };

/** Writes a batch's changes, in the projection's transaction. */
export async function write(
  client: ClientBase,
  arithmetic: Arithmetic,
  changes: Changes,
  last: Mark,
): Promise<void> {
  // What only repeats something known has left its row as it was.
  const samples = changes.samples.filter(({ before, after }) => before !== after);
  const moved = samples.filter(({ before, after }) => !samePlace(before, after));
  const removed = moved.flatMap(({ sampleId, before, after }) => {
    const by = after?.at ?? changes.tombstones.get(sampleId)?.at;
    return before && by ? [{ ...before, sampleId, by }] : [];
  });
  const added = moved.flatMap(({ after }) => (after ? [after] : []));
  const members = membersOf(removed);
  // Before the requests: rows are locked in one order.
  await lockAdapters(client, [...new Set(members.map(({ adapter }) => adapter))]);
  const requests = await writeRequests(client, changes);
  const leaves = leavesOf(changes, requests);
  const batch = leaves.entries.length > 0 ? await queueEntries(client, leaves.entries) : 0n;
  if (removed.length > 0) await remove(client, arithmetic, removed, members, last);
  // What came and was deleted within the batch changes no set; its deletion too is shown by a version.
  await markDirty(client, [...removed, ...passing(changes)], added.map(toPlace), last);
  await deleteSamples(client, samples);
  const leafOf = (sample: StoredSample) => placeOf(sample, leaves, batch);
  await insertSamples(client, samples, leafOf, arithmetic.anchorOf);
  await insertMemberships(client, added.filter(isPlaced));
  await keepContent(client, added);
  await writeSubjects(client, samples);
  await writeGone(client, changes, requests);
  await writeEvidence(client, changes, requests, leaves, batch);
  await placeRequests(client, leaves.requests, batch);
  await forgetSavedSeals(client, changes);
  await writeRestatements(client, changes);
  await writeLetters(client, changes);
}

/** Content that a request has taken away before it was ever written. */
const passing = ({ gone, samples }: Changes): SealedSample[] => {
  const written = new Set(samples.map(({ before }) => before?.seal));
  return gone.flatMap(({ sample, because }) =>
    because && !written.has(sample.seal) ? [sample] : [],
  );
};

const isPlaced = ({ unplaced }: StoredSample): boolean => !unplaced;

/** Until it is placed, a sample that has come makes no adapter dirty, but there is something to build. */
const toPlace = (sample: StoredSample) =>
  sample.unplaced ? { ...sample, adapters: [UNPLACED] } : sample;

const samePlace = (a: StoredSample | null, b: StoredSample | null): boolean =>
  a?.at.partition === b?.at.partition && a?.at.position === b?.at.position;

const membersOf = (removed: readonly RemovedSample[]): RemovedMember[] =>
  removed
    .filter(isPlaced)
    .flatMap(({ at, label, encoding, adapters }) =>
      adapters.map((adapter) => ({ ...at, adapter, label, encoding })),
    );

/** The adapters' rows must be locked. */
async function remove(
  client: ClientBase,
  { kernel, shape, handOver }: Arithmetic,
  removed: readonly RemovedSample[],
  members: readonly RemovedMember[],
  last: Mark,
): Promise<void> {
  if (!handOver(removed)) await subtractRemoved(client, kernel, shape, members, last);
  const places = [
    int4Array(members.map(({ partition }) => partition)),
    int8Array(members.map(({ position }) => position)),
  ];
  await queryPrepared(
    client,
    `DELETE FROM memberships m
     USING unnest($1::int[], $2::int[], $3::int8[]) AS r(adapter, partition, position)
     WHERE m.adapter = r.adapter AND m.partition = r.partition AND m.position = r.position`,
    [int4Array(members.map(({ adapter }) => adapter)), ...places],
  );
  await queryPrepared(
    client,
    `INSERT INTO removals (partition, position, content_partition, content_position, sample_id,
                           commitment, membership, adapters)
     SELECT by_partition, by_position, partition, position, sample_id, commitment, membership,
            adapters::int[]
     FROM unnest($1::int[], $2::int8[], $3::int[], $4::int8[], $5::text[], $6::bytea[], $7::bytea[],
                 $8::text[])
       AS r(by_partition, by_position, partition, position, sample_id, commitment, membership, adapters)`,
    [
      int4Array(removed.map(({ by }) => by.partition)),
      int8Array(removed.map(({ by }) => by.position)),
      int4Array(removed.map(({ at }) => at.partition)),
      int8Array(removed.map(({ at }) => at.position)),
      textArray(removed.map(({ sampleId }) => sampleId)),
      byteaArray(removed.map(({ seal }) => seal.commitment)),
      byteaArray(removed.map(({ seal }) => seal.membership)),
      textArray(removed.map(({ adapters }) => `{${adapters.join(',')}}`)),
    ],
  );
}

/** Content that is there again, in a replay, was not removed. */
async function keepContent(client: Queryable, added: readonly StoredSample[]): Promise<void> {
  if (added.length === 0) return;
  await client.query(
    `DELETE FROM removals r USING unnest($1::int[], $2::int8[]) AS a(partition, position)
     WHERE r.content_partition = a.partition AND r.content_position = a.position`,
    [int4Array(added.map(({ at }) => at.partition)), int8Array(added.map(({ at }) => at.position))],
  );
}

/** Marks, in order of adapter, those whose members go and those to which some come. */
async function markDirty(
  client: Queryable,
  removed: readonly Pick<StoredSample, 'adapters'>[],
  added: readonly Pick<StoredSample, 'adapters'>[],
  last: Mark,
): Promise<void> {
  const marks = new Map<number, boolean>();
  for (const { adapters } of added) for (const adapter of adapters) marks.set(adapter, false);
  for (const { adapters } of removed) for (const adapter of adapters) marks.set(adapter, true);
  if (marks.size === 0) return;
  await queryPrepared(
    client,
    `INSERT INTO dirty_adapters AS d (adapter, partition, position, removed, traceparent)
     SELECT adapter, $3, $4, CASE WHEN removal THEN $4::int8 END, $5
     FROM unnest($1::int[], $2::bool[]) AS m(adapter, removal) ORDER BY adapter
     ON CONFLICT (adapter, partition) DO UPDATE
       SET position = excluded.position, removed = coalesce(excluded.removed, d.removed),
           resealed = false,
           traceparent = coalesce(excluded.traceparent, d.traceparent)`,
    [
      int4Array([...marks.keys()]),
      [...marks.values()],
      last.partition,
      last.position,
      last.traceparent,
    ],
  );
}

async function deleteSamples(client: Queryable, samples: readonly SampleChange[]): Promise<void> {
  const old = samples.filter(({ before }) => before !== null).map(({ sampleId }) => sampleId);
  if (old.length === 0) return;
  await queryPrepared(client, 'DELETE FROM samples WHERE sample_id = ANY($1::text[])', [
    textArray(old),
  ]);
}

async function writeSubjects(client: Queryable, samples: readonly SampleChange[]): Promise<void> {
  const gone = samples.filter(({ before, after }) => before?.state.subjects.size && !after);
  if (gone.length > 0) {
    await client.query('DELETE FROM sample_subjects WHERE sample_id = ANY($1::text[])', [
      textArray(gone.map(({ sampleId }) => sampleId)),
    ]);
  }
  const rows = samples.flatMap(({ sampleId, after }) =>
    [...(after?.state.subjects ?? [])].map(([subject, time]) => ({ sampleId, subject, time })),
  );
  if (rows.length === 0) return;
  await client.query(
    `INSERT INTO sample_subjects (subject_id, sample_id, first_time)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int8[])
     ON CONFLICT (subject_id, sample_id) DO UPDATE SET first_time = excluded.first_time`,
    [
      textArray(rows.map(({ subject }) => subject)),
      textArray(rows.map(({ sampleId }) => sampleId)),
      int8Array(rows.map(({ time }) => time)),
    ],
  );
}

async function forgetSavedSeals(client: Queryable, { restored }: Changes): Promise<void> {
  if (restored.length === 0) return;
  await client.query('DELETE FROM saved_seals WHERE sample_id = ANY($1::text[])', [
    textArray(restored),
  ]);
}

/** Samples that are to be written into the log again. */
async function writeRestatements(client: Queryable, { restatements }: Changes): Promise<void> {
  if (restatements.length === 0) return;
  await client.query(
    `INSERT INTO restatements AS r (sample_id, partition, position, raw)
     SELECT * FROM unnest($1::text[], $2::int[], $3::int8[], $4::bool[])
       AS w(sample_id, partition, position, raw)
     ORDER BY sample_id COLLATE "C", partition
     ON CONFLICT (sample_id, partition) DO UPDATE
       SET position = excluded.position, raw = r.raw OR excluded.raw`,
    [
      textArray(restatements.map(({ sampleId }) => sampleId)),
      int4Array(restatements.map(({ partition }) => partition)),
      int8Array(restatements.map(({ position }) => position)),
      restatements.map(({ raw }) => raw),
    ],
  );
}
