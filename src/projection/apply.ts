import type { ClientBase } from 'pg';
import { LegonetError } from '../errors.js';
import type { LogRecord } from '../events/record.js';
import { anchorPlaces } from '../model/anchors.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import { type Database, sqlState, transaction } from '../store/database.js';
import { keyText } from '../store/key-text.js';
import { ALONE, SIDE_BY_SIDE } from '../store/lock.js';
import { handOver } from '../store/removed-members.js';
import type { Changes } from './changes.js';
import { fold, type Item } from './fold.js';
import { letterOf } from './letters.js';
import { isDeleted, load } from './load.js';
import { lockOffset, moveOffset, type Place } from './offset.js';
import { namedBy, type Prepared } from './prepare.js';
import { type RemovedSample, write } from './write.js';
import { writeLetter } from './write-letters.js';

export type ApplyOptions = {
  readonly database: Database;
  readonly model: Model;
  readonly kernel: Kernel;
  /** Whether the log keeps the last record of a key alone. */
  readonly compacts: boolean;
  /** Puts records into the log in the place of those with raw inputs, in the projection's transaction. */
  readonly rewrite?: (client: ClientBase, records: readonly LogRecord[]) => Promise<void>;
  /** The W3C trace context of what applies them. */
  readonly traceparent?: string | null;
  /** Told each point passed; tests end the process there. */
  readonly reached?: (point: string) => void;
};

/**
 * Applies items in order, each piece with its offset in one transaction. Returns the next position.
 * Throws `offset_moved` (retryable) if somebody else has projected this partition, and
 * `partition_stopped` (stop) after everything before a deletion that cannot be applied.
 */
export async function apply(
  options: ApplyOptions,
  { partition, next }: Place,
  { items, stopping }: Prepared,
): Promise<bigint> {
  let position = await applyItems(options, { partition, next }, items);
  if (!stopping) return position;
  const { record, code, reason } = stopping;
  await stopAt(options, { partition, next: position }, record, code, reason);
  position = record.position + 1n;
  return position;
}

/** Goes past positions at which nothing is left. Throws as `apply` does. */
export async function skip(
  { database }: Pick<ApplyOptions, 'database'>,
  place: Place,
  to: bigint,
): Promise<void> {
  await transaction(database.pool, async (client) => {
    await lockOffset(client, place);
    await moveOffset(client, place, to);
  });
}

async function applyItems(
  options: ApplyOptions,
  place: Place,
  items: readonly Item[],
): Promise<bigint> {
  const last = items.at(-1);
  if (!last) return place.next;
  try {
    await applyRacing(options, place, items, last.record);
    return last.record.position + 1n;
  } catch (error) {
    if (!isDataError(error)) throw error;
    if (items.length === 1) return applyUnstorable(options, place, last, error);
    // One record that the database cannot take must not hold up the others: halve until it is found.
    const half = items.length >> 1;
    const next = await applyItems(options, place, items.slice(0, half));
    return applyItems(options, { ...place, next }, items.slice(half));
  }
}

/**
 * Partitions are projected side by side as long as they only bring content; whoever takes samples away
 * does so alone, since it must see all that names them. Content of one sample in two partitions meets at
 * its row: the second comer tries again.
 */
async function applyRacing(
  options: ApplyOptions,
  place: Place,
  items: readonly Item[],
  last: LogRecord,
): Promise<void> {
  let alone = items.some(({ kind }) => kind === 'deletion');
  for (let attempt = 1; ; attempt++) {
    try {
      if (await applyAtOnce(options, place, items, last, alone)) return;
      alone = true;
    } catch (error) {
      if (!isRace(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

const ATTEMPTS = 20;

/** Returns false, and changes nothing, if samples would have to go and this transaction is not alone. */
async function applyAtOnce(
  {
    database,
    model,
    kernel,
    compacts,
    rewrite,
    traceparent = null,
    reached = () => {},
  }: ApplyOptions,
  place: Place,
  items: readonly Item[],
  last: LogRecord,
  alone: boolean,
): Promise<boolean> {
  reached('project.before-transaction');
  const opening = `ISOLATION LEVEL READ COMMITTED; ${BY_INDEX}; ${alone ? ALONE : SIDE_BY_SIDE}`;
  const done = await transaction(
    database.pool,
    async (client) => {
      const replaying = await lockOffset(client, place);
      const known = await load(client, namedBy(items), replaying);
      const { configuration, encoderDigest: encoder } = model;
      const changes = fold(known, items, { classes: configuration.classes, encoder, compacts });
      if (!alone && changes.tombstones.size > 0) throw NOT_ALONE;
      reached('project.folded');
      const { partition, position } = last;
      const mark = { partition, position, traceparent };
      const arithmetic = {
        kernel,
        shape: model.shape,
        anchorOf: anchorPlaces(model.configuration),
        handOver: handOverTo(database),
      };
      await write(client, arithmetic, changes, mark);
      await rewrite?.(client, encodedOf(items));
      await moveOffset(client, place, position + 1n, addedBy(changes));
      reached('project.before-commit');
      return true;
    },
    opening,
  ).catch((error) => {
    if (error === NOT_ALONE) return false;
    throw error;
  });
  if (done) reached('project.after-commit');
  return done;
}

/** Records that have their encoding in the place of a raw input. */
const encodedOf = (items: readonly Item[]): LogRecord[] =>
  items.flatMap((item) => (item.kind === 'content' && item.wasInput ? [item.record] : []));
const handOverTo = (database: Database) => (removed: readonly RemovedSample[]) =>
  handOver(
    database,
    removed.map(({ at, by, encoding, label }) => ({ ...at, by, encoding, label })),
  );

/** How many samples more are retained. */
const addedBy = ({ samples }: Changes): number =>
  samples.filter(({ after }) => after).length - samples.filter(({ before }) => before).length;

const NOT_ALONE = Symbol('not alone');

/** Tables that grow from nothing look small to the planner for too long: it would read them whole. */
const BY_INDEX = 'SET LOCAL enable_seqscan = off';

async function applyUnstorable(
  options: ApplyOptions,
  place: Place,
  item: Item,
  error: unknown,
): Promise<bigint> {
  const { record } = item;
  const code = 'not_storable';
  const reason = `the database cannot store it (SQLSTATE ${sqlState(error)})`;
  if (item.kind === 'deletion') await stopAt(options, place, record, code, reason);
  else await passOver(options, place, { kind: 'rejected', record, code, reason });
  return record.position + 1n;
}

/**
 * Goes past a record that changes no sample, which the log holds all the same: under a key that can be stored, which no
 * sample has if it is another.
 */
function passOver(
  options: ApplyOptions,
  place: Place,
  item: Extract<Item, { kind: 'rejected' | 'roll' }>,
): Promise<void> {
  const record = { ...item.record, key: keyText(item.record.key) };
  return applyRacing(options, place, [{ ...item, record }], record);
}

/** Goes past a deletion that cannot be applied only if an operator has said so. */
async function stopAt(
  options: ApplyOptions,
  place: Place,
  record: LogRecord,
  code: string,
  reason: string,
): Promise<void> {
  const skipped = await transaction(
    options.database.pool,
    async (client) => {
      const { rowCount } = await client.query(
        `SELECT FROM dead_letters WHERE partition = $1 AND position = $2 AND skipped_at IS NOT NULL`,
        [record.partition, record.position],
      );
      if (rowCount) return true;
      const letter = letterOf(record, code, reason);
      const isGone = await isDeleted(client, record.key);
      await writeLetter(client, isGone ? { ...letter, value: null, headers: {} } : letter, true);
      return false;
    },
    `ISOLATION LEVEL READ COMMITTED; ${SIDE_BY_SIDE}`,
  );
  if (skipped) return passOver(options, place, { kind: 'roll', record });
  throw new LegonetError(
    'partition_stopped',
    `partition ${record.partition} stops at position ${record.position}: a deletion that cannot be applied ` +
      `(${code}: ${reason}). See \`legonet dead-letters\``,
    'stop',
  );
}

/** Two transactions have met at one sample: one row too many, a deadlock, a row that has gone. */
const isRace = (error: unknown): boolean => /^(23505|40001|40P01)$/.test(sqlState(error) ?? '');

/** Data exceptions and violated constraints: the record's fault, not the server's. */
const isDataError = (error: unknown): boolean =>
  /^2[23]/.test(sqlState(error) ?? '') && !isRace(error);
