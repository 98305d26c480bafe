import { LegonetError } from '../errors.js';
import type { Queryable } from './database.js';

export type DeadLetter = {
  readonly id: bigint;
  readonly code: string;
  readonly reason: string;
  readonly partition: number;
  readonly position: bigint;
  readonly key: string | null;
  /** Stops its partition until it is skipped. */
  readonly stopping: boolean;
  readonly skippedAt: Date | null;
  readonly redrivenAt: Date | null;
  readonly createdAt: Date;
};

/** A dead letter with its raw record; `value` is null too once its key was deleted. */
export type RawLetter = DeadLetter & {
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Microseconds since 1970. */
  readonly recordTime: bigint;
  /** How often its record has come back. */
  readonly revision: bigint;
};

const COLUMNS = `id, code, reason, partition, position, key, stopping, skipped_at AS "skippedAt",
  redriven_at AS "redrivenAt", created_at AS "createdAt"`;

/**
 * Of a dead letter: its partition stands still before it. Not where a replay is yet to come to it again, nor where its
 * partition has gone on, for compaction has dropped the record.
 */
export const STOPS = `stopping AND skipped_at IS NULL AND redriven_at IS NULL
  AND NOT EXISTS (SELECT FROM offsets o
                  WHERE o.partition = dead_letters.partition AND o.position > dead_letters.position)`;

/** A partition that stands still, and the dead letter before which it does. */
export type StoppedPartition = Pick<DeadLetter, 'id' | 'partition' | 'position' | 'reason'>;

/** In order of partition. */
export async function readStopped(client: Queryable): Promise<StoppedPartition[]> {
  const { rows } = await client.query<StoppedPartition>(
    `SELECT id, partition, position, reason FROM dead_letters
     WHERE ${STOPS} ORDER BY partition, position`,
  );
  return rows;
}

/** What waits for somebody to look at it. */
export async function readDeadLetters(client: Queryable): Promise<DeadLetter[]> {
  const { rows } = await client.query<DeadLetter>(
    `SELECT ${COLUMNS} FROM dead_letters WHERE redriven_at IS NULL AND skipped_at IS NULL ORDER BY id`,
  );
  return rows;
}

/** Throws `no_dead_letter`. */
export async function readRawLetter(client: Queryable, id: bigint): Promise<RawLetter> {
  const { rows } = await client.query<RawLetter>(
    `SELECT ${COLUMNS}, value, headers, record_time AS "recordTime", revision
     FROM dead_letters WHERE id = $1`,
    [id],
  );
  const [letter] = rows;
  if (letter) return letter;
  throw new LegonetError('no_dead_letter', `no dead letter ${id}: see \`legonet dead-letters\``);
}

/** The first letters that their topic has not been told of. */
export async function readUnannounced(
  client: Queryable,
  limit: number,
): Promise<(DeadLetter & Pick<RawLetter, 'revision'>)[]> {
  const { rows } = await client.query<DeadLetter & Pick<RawLetter, 'revision'>>(
    `SELECT ${COLUMNS}, revision FROM dead_letters WHERE announced_at IS NULL ORDER BY id LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Unless the letter has changed since it was read: the projection may have met its record again. */
export async function markRedriven(
  client: Queryable,
  { id, revision }: Pick<RawLetter, 'id' | 'revision'>,
): Promise<void> {
  await client.query(
    'UPDATE dead_letters SET redriven_at = now() WHERE id = $1 AND revision = $2',
    [id, revision],
  );
}

/** Lets the projection go past a deletion that it cannot apply. Throws `not_stopping`. */
export async function skipLetter(client: Queryable, id: bigint): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE dead_letters SET skipped_at = now() WHERE id = $1 AND stopping',
    [id],
  );
  if (rowCount === 1) {
    await client.query(`SELECT pg_notify('legonet_log', '')`);
    return;
  }
  throw new LegonetError('not_stopping', `dead letter ${id} does not stop its partition`);
}
