import type { Backend } from '../model/backend.js';
import type { Queryable } from './database.js';
import { readStopped, type StoppedPartition } from './dead-letters.js';
import { heldRoles, type Role } from './lock.js';

export type Status = {
  readonly model: string | null;
  readonly configDigest: string | null;
  /** What softmax adapters are trained on; null for least-squares. */
  readonly backend: Backend | null;
  readonly version: number | null;
  readonly modelDigest: string | null;
  readonly retained: bigint;
  /** Of the retained: keys are samples, and no build has found their adapters yet. */
  readonly unplaced: bigint;
  readonly deleted: bigint;
  readonly dirtyAdapters: bigint;
  readonly deletionsWaiting: bigint;
  readonly erasuresWaiting: bigint;
  readonly deadLetters: bigint;
  /** Entries of the audit log: queued, in it, and under the last signed checkpoint. */
  readonly log: { readonly queued: number; readonly size: number; readonly signed: number };
  /** Partitions that stand still before a deletion that cannot be applied. */
  readonly stopped: readonly StoppedPartition[];
  /** Roles that some process has now. */
  readonly roles: readonly Role[];
};

/** Where things stand: the newest version that is published, and what waits for the next one. */
export async function readStatus(client: Queryable): Promise<Status> {
  const { rows } = await client.query<Omit<Status, 'roles' | 'stopped'>>(
    `SELECT (SELECT name FROM model) AS model,
            (SELECT digest FROM model) AS "configDigest",
            (SELECT backend FROM model) AS backend,
            v.version, v.model_digest AS "modelDigest",
            (SELECT coalesce(sum(retained), 0)::bigint FROM offsets) AS retained,
            (SELECT count(*) FROM samples WHERE unplaced) AS unplaced,
            (SELECT count(*) FROM tombstones) AS deleted,
            (SELECT count(DISTINCT adapter) FROM dirty_adapters WHERE adapter >= 0) AS "dirtyAdapters",
            (SELECT count(*) FROM deletions WHERE version IS NULL) AS "deletionsWaiting",
            (SELECT count(*) FROM erasures) AS "erasuresWaiting",
            (SELECT count(*) FROM dead_letters WHERE redriven_at IS NULL AND skipped_at IS NULL)
              AS "deadLetters",
            json_build_object(
              'queued', (SELECT coalesce(sum(count), 0) FROM tlog_batches WHERE first_index IS NULL),
              'size', coalesce((SELECT size FROM tlog_head), 0),
              'signed', coalesce((SELECT signed_size FROM tlog_head), 0)) AS log
     FROM (SELECT) AS one LEFT JOIN
       (SELECT version, model_digest FROM versions WHERE published_at IS NOT NULL
        ORDER BY version DESC LIMIT 1) AS v ON true`,
  );
  const stopped = await readStopped(client);
  const [row] = rows;
  if (!row) throw new TypeError('status without a row');
  return { ...row, stopped, roles: await heldRoles(client) };
}

/**
 * Payloads of deleted samples that the log still holds, by key and partition; and raw inputs, of which one stands for
 * others in its partition.
 */
export type ErasureStatus = {
  readonly erasuresWaiting: bigint;
  /** Of those, how many should be gone by now. */
  readonly erasuresOverdue: bigint;
  readonly oldestErasureMs: number | null;
};

/** By the database's clock; an erasure's time begins when its deletion is projected, or a raw input's sample written again. */
export async function readErasures(client: Queryable, deadlineMs: number): Promise<ErasureStatus> {
  const { rows } = await client.query<ErasureStatus>(
    `SELECT count(*) AS "erasuresWaiting",
            count(*) FILTER (WHERE since < now() - $1 * interval '1 millisecond') AS "erasuresOverdue",
            (extract(epoch FROM now() - min(since)) * 1000)::float8 AS "oldestErasureMs"
     FROM erasures`,
    [deadlineMs],
  );
  const [row] = rows;
  if (!row) throw new TypeError('erasures without a row');
  return row;
}

/** Milliseconds since the oldest of what should not wait long; null where nothing does. */
export type Waiting = {
  /** A deletion that no version applies yet. */
  readonly deletionMs: number | null;
  /** A version, or a retirement, that is not announced yet. */
  readonly announcementMs: number | null;
};

export async function readWaiting(client: Queryable): Promise<Waiting> {
  const { rows } = await client.query<Waiting>(
    `SELECT (SELECT (extract(epoch FROM now() - min(received_at)) * 1000)::float8
             FROM deletions WHERE version IS NULL) AS "deletionMs",
            (SELECT (extract(epoch FROM now() - min(created_at)) * 1000)::float8
             FROM outbox WHERE published_at IS NULL) AS "announcementMs"`,
  );
  return rows[0] ?? { deletionMs: null, announcementMs: null };
}
