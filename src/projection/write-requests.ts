import { byteaArray, int4Array, int8Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import { type Changes, type RequestRef, type RequestRow, requestKey } from './changes.js';

/** Requests, as they are on record: one that comes again is the one that it was. */
export type Requests = {
  /** Those that were not on record before. */
  readonly fresh: readonly RequestRow[];
  /** The commitment of the request on record. */
  commitmentOf(ref: RequestRef): Uint8Array | null;
};

export async function writeRequests(client: Queryable, { requests }: Changes): Promise<Requests> {
  const first = new Map<string, RequestRow>();
  for (const row of requests) if (!first.has(keyOf(row))) first.set(keyOf(row), row);
  const recorded = await record(client, [...first.values()]);
  const fresh = [...first].flatMap(([key, row]) => (recorded.get(key)?.inserted ? [row] : []));
  const onRecord = new Map<Uint8Array, Uint8Array>();
  for (const row of requests) {
    const own = row.sealed.commitment;
    onRecord.set(own, recorded.get(keyOf(row))?.commitment ?? own);
  }
  const commitmentOf = ({ commitment }: RequestRef) =>
    commitment && (onRecord.get(commitment) ?? commitment);
  return { fresh, commitmentOf };
}

const keyOf = ({ request, kind, target }: RequestRow): string =>
  requestKey(request.requestId, kind, target);

type Recorded = { readonly commitment: Buffer; readonly inserted: boolean };
type RecordedRow = Recorded & { request_id: string; kind: string; target: string };

/** Inserts them, in the order of their keys, unless they are there. */
async function record(
  client: Queryable,
  rows: readonly RequestRow[],
): Promise<ReadonlyMap<string, Recorded>> {
  if (rows.length === 0) return new Map();
  const found = await queryPrepared<RecordedRow>(
    client,
    `INSERT INTO deletions AS d (request_id, kind, target, reason, requested_at, partition, position,
                                 removed, logged_at, traceparent, deadline, salt, commitment)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int[],
                          $7::int8[], $8::int[], $9::int8[], $10::text[], $11::int8[], $12::bytea[],
                          $13::bytea[])
       AS r(request_id, kind, target, reason, requested_at, partition, position, removed, logged_at,
            traceparent, deadline, salt, commitment)
     ORDER BY request_id COLLATE "C", kind, target COLLATE "C"
     ON CONFLICT (request_id, kind, target) DO UPDATE
       SET deadline = coalesce(d.deadline, excluded.deadline), salt = coalesce(d.salt, excluded.salt),
           commitment = coalesce(d.commitment, excluded.commitment)
     RETURNING request_id, kind, target, commitment, xmax = 0 AS inserted`,
    [
      textArray(rows.map(({ request }) => request.requestId)),
      textArray(rows.map(({ kind }) => kind)),
      textArray(rows.map(({ target }) => target)),
      textArray(rows.map(({ request }) => request.reason ?? null)),
      int8Array(rows.map(({ request }) => request.requestedAt ?? null)),
      int4Array(rows.map(({ at }) => at.partition)),
      int8Array(rows.map(({ at }) => at.position)),
      int4Array(rows.map(({ removed }) => removed)),
      int8Array(rows.map(({ loggedAt }) => loggedAt)),
      textArray(rows.map(({ traceparent }) => traceparent)),
      int8Array(rows.map(({ sealed }) => sealed.deadline)),
      byteaArray(rows.map(({ sealed }) => sealed.salt)),
      byteaArray(rows.map(({ sealed }) => sealed.commitment)),
    ],
  );
  return new Map(found.rows.map((row) => [requestKey(row.request_id, row.kind, row.target), row]));
}

/** Where the log has those that removed nothing. */
export async function placeRequests(
  client: Queryable,
  entries: ReadonlyMap<RequestRow, number>,
  batch: bigint,
): Promise<void> {
  if (entries.size === 0) return;
  const rows = [...entries.keys()];
  await client.query(
    `UPDATE deletions d SET leaf_batch = $1, leaf_entry = e.entry
     FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS e(request_id, kind, target, entry)
     WHERE d.request_id = e.request_id AND d.kind = e.kind AND d.target = e.target`,
    [
      batch,
      textArray(rows.map(({ request }) => request.requestId)),
      textArray(rows.map(({ kind }) => kind)),
      textArray(rows.map(({ target }) => target)),
      int4Array([...entries.values()]),
    ],
  );
}
