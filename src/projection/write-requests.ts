import { type Queryable, queryPrepared } from '../store/database.js';
import type { Changes, RequestRef, RequestRow } from './changes.js';

/** Requests, as they are on record: one that comes again is the one that it was. */
export type Requests = {
  /** Those that were not on record before. */
  readonly fresh: readonly RequestRow[];
  /** The commitment of the request on record. */
  commitmentOf(ref: RequestRef): Uint8Array | null;
};

export async function writeRequests(client: Queryable, { requests }: Changes): Promise<Requests> {
  const fresh: RequestRow[] = [];
  const onRecord = new Map<Uint8Array, Uint8Array>();
  for (const row of requests) {
    const { commitment, inserted } = await writeRequest(client, row);
    if (inserted) fresh.push(row);
    onRecord.set(row.sealed.commitment, commitment);
  }
  const commitmentOf = ({ commitment }: RequestRef) =>
    commitment && (onRecord.get(commitment) ?? commitment);
  return { fresh, commitmentOf };
}

async function writeRequest(client: Queryable, row: RequestRow) {
  const { request, sealed, kind, target, at, loggedAt, removed, traceparent } = row;
  const { rows } = await queryPrepared<{ commitment: Buffer; inserted: boolean }>(
    client,
    `INSERT INTO deletions AS d (request_id, kind, target, reason, requested_at, partition, position,
                                 removed, logged_at, traceparent, deadline, salt, commitment)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (request_id, kind, target) DO UPDATE
       SET deadline = coalesce(d.deadline, excluded.deadline), salt = coalesce(d.salt, excluded.salt),
           commitment = coalesce(d.commitment, excluded.commitment)
     RETURNING commitment, xmax = 0 AS inserted`,
    [
      request.requestId,
      kind,
      target,
      request.reason ?? null,
      request.requestedAt ?? null,
      at.partition,
      at.position,
      removed,
      loggedAt,
      traceparent,
      sealed.deadline,
      sealed.salt,
      sealed.commitment,
    ],
  );
  return { commitment: rows[0]?.commitment ?? sealed.commitment, inserted: rows[0]?.inserted };
}

/** Where the log has those that removed nothing. */
export async function placeRequests(
  client: Queryable,
  entries: ReadonlyMap<RequestRow, number>,
  batch: bigint,
): Promise<void> {
  for (const [{ request, kind, target }, entry] of entries) {
    await client.query(
      `UPDATE deletions SET leaf_batch = $4, leaf_entry = $5
       WHERE request_id = $1 AND kind = $2 AND target = $3`,
      [request.requestId, kind, target, batch, entry],
    );
  }
}
