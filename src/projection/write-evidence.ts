import { byteaArray, int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import type { Changes } from './changes.js';
import { type Leaves, placeOf } from './leaves.js';
import { membershipSalt } from './seals.js';
import type { Requests } from './write-requests.js';

/** Keeps of each sample that a request has taken away what its certificate will show. */
export async function writeEvidence(
  client: Queryable,
  { gone }: Changes,
  requests: Requests,
  leaves: Leaves,
  batch: bigint,
): Promise<void> {
  const rows = gone.flatMap((one) => {
    const { sampleId, sample, because } = one;
    if (!because) return [];
    const ingest = placeOf(sample, leaves, batch);
    const deletion = leaves.deletions.get(one) ?? -1;
    return [{ sampleId, sample, because, ingest, deletion }];
  });
  if (rows.length === 0) return;
  await queryPrepared(
    client,
    `INSERT INTO evidence (sample_id, request_id, request, commitment, membership_salt, adapters,
                           ingest_batch, ingest_entry, delete_batch, delete_entry)
     SELECT sample_id, request_id, request, commitment, salt, adapters::int[], batch, entry, $9, deletion
     FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::int8[],
                 $8::int[], $10::int[])
       AS e(sample_id, request_id, request, commitment, salt, adapters, batch, entry, deletion)
     ON CONFLICT (sample_id) DO NOTHING`,
    [
      textArray(rows.map(({ sampleId }) => sampleId)),
      textArray(rows.map(({ because }) => because.requestId)),
      byteaArray(rows.map(({ because }) => requests.commitmentOf(because) ?? new Uint8Array(32))),
      byteaArray(rows.map(({ sample }) => sample.seal.commitment)),
      byteaArray(rows.map(({ sample }) => membershipSalt(sample.seal.salt))),
      textArray(rows.map(({ sample }) => `{${sample.adapters.join(',')}}`)),
      int8Array(rows.map(({ ingest }) => ingest?.batch ?? null)),
      int4Array(rows.map(({ ingest }) => ingest?.entry ?? null)),
      batch,
      int4Array(rows.map(({ deletion }) => deletion)),
    ],
  );
}
