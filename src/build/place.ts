import type { ClientBase } from 'pg';
import type { Keys } from '../model/activation.js';
import type { Model } from '../model/model.js';
import { int4Array, int8Array } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { PROJECTION } from '../store/lock.js';
import { UNPLACED } from '../store/placement.js';
import { lockAdapters } from '../store/row-locks.js';
import { readKeys, renewAnchors } from './anchors.js';
import type { Compute } from './compute.js';
import { readSetCut } from './plan.js';
import { readPages, type SamplePage } from './sample-pages.js';
import { throwIfStopped } from './work.js';
import { type NewPlace, type Placed, writePlaced } from './write-placed.js';

/*
 * Where keys are samples (`anchors`), samples are placed before a build's cut: while nobody projects, the anchors
 * are found, new samples get their adapters and those that the new keys concern get others.
 */

type Placer = {
  readonly model: Model;
  readonly compute: Compute;
  readonly reached: (point: string) => void;
};

/**
 * Places samples, and runs `cut` before anything more is projected: the snapshot that it takes has the anchors of
 * its own samples. All in the session of `client`, which must end if this throws.
 */
export async function placeThen<T>(
  client: ClientBase,
  placer: Placer,
  signal: AbortSignal,
  cut: () => Promise<T>,
): Promise<T> {
  const { reached } = placer;
  await client.query(`SELECT pg_advisory_lock(${PROJECTION.join(', ')})`);
  reached('place.locked');
  // Tables that grow from nothing look small to the planner for too long.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = off');
  await placeAll(client, placer, signal);
  reached('place.before-commit');
  await client.query('COMMIT');
  reached('place.after-commit');
  const result = await cut();
  await client.query(`SELECT pg_advisory_unlock(${PROJECTION.join(', ')})`);
  return result;
}

async function placeAll(client: ClientBase, placer: Placer, signal: AbortSignal): Promise<void> {
  const { model } = placer;
  const { activated } = model.configuration;
  const changed = await renewAnchors(client);
  // First of all rows: a build from before it waits here with its commit, and is overtaken.
  if (changed.length > 0) await client.query('UPDATE placement SET generation = generation + 1');
  const keys = await readKeys(client, model);
  const setCut = await readSetCut(client);
  const effects = new Effects(changed);
  const which = changed.length > 0 ? 'all' : 'unplaced';
  for await (const page of readPages(client, which, model.shape.dimension, activated)) {
    throwIfStopped(signal);
    const places = await placesOf(placer, keys, changed, page);
    if (places.length === 0) continue;
    effects.add(await writePlaced(client, page.partition, places, setCut));
  }
  await effects.write(client);
}

/** The new adapters of those that have others than before. */
async function placesOf(
  { model, compute }: Placer,
  keys: Keys,
  changed: Int32Array,
  { positions, encodings, current }: SamplePage,
): Promise<NewPlace[]> {
  const { activated } = model.configuration;
  const count = positions.length;
  const placed = await compute.place({ encodings, count, current, keys, changed });
  return positions.flatMap((position, row) => {
    const range = [row * activated, (row + 1) * activated] as const;
    const adapters = placed.subarray(...range);
    const isSame = current.subarray(...range).every((adapter, i) => adapter === adapters[i]);
    return isSame ? [] : [{ position, adapters: Array.from(adapters) }];
  });
}

/** What placing means for the adapters. */
class Effects {
  /** The last position that has come to each, by partition; -1 for what has none. */
  readonly #marks = new Map<number, Map<number, bigint>>();
  /** Their key or their members have changed. Of the others only what these are committed to has. */
  readonly #changed = new Set<number>();
  /** Their members have, even before positions to which statistics are kept. */
  readonly #moved = new Set<number>();

  constructor(changed: Int32Array) {
    for (const adapter of changed) {
      this.#changed.add(adapter);
      this.#touch(adapter);
    }
  }

  add(placed: readonly Placed[]): void {
    for (const { at, from, adapters } of placed) {
      if (from.length === 0) this.#come(at, adapters);
      else this.#move(from, adapters);
    }
  }

  #come({ partition, position }: Placed['at'], adapters: readonly number[]): void {
    for (const adapter of adapters) {
      this.#changed.add(adapter);
      this.#mark(partition, adapter, position);
    }
  }

  #move(from: readonly number[], to: readonly number[]): void {
    for (const adapter of [...from, ...to]) {
      this.#touch(adapter);
      if (from.includes(adapter) && to.includes(adapter)) continue;
      this.#changed.add(adapter);
      this.#moved.add(adapter);
    }
  }

  /** No record's doing: any cut covers it, and a build whose cut was before it is not committed. */
  #touch(adapter: number): void {
    if (!this.#marks.get(0)?.has(adapter)) this.#mark(0, adapter, -1n);
  }

  /** Positions come in ascending order. */
  #mark(partition: number, adapter: number, position: bigint): void {
    const last = this.#marks.get(partition) ?? new Map<number, bigint>();
    this.#marks.set(partition, last.set(adapter, position));
  }

  async write(client: Queryable): Promise<void> {
    const moved = [...this.#moved];
    await lockAdapters(client, moved);
    await client.query('DELETE FROM adapter_statistics WHERE adapter = ANY($1::int[])', [
      int4Array(moved),
    ]);
    const { rows } = await client.query<{ traceparent: string | null }>(
      `DELETE FROM dirty_adapters WHERE adapter = ${UNPLACED} RETURNING traceparent`,
    );
    const traceparent = rows.find((row) => row.traceparent !== null)?.traceparent ?? null;
    const marks = [...this.#marks].flatMap(([partition, last]) =>
      [...last].map(([adapter, position]) => ({ adapter, partition, position })),
    );
    await client.query(
      // In one order, so that no two transactions wait for each other.
      `INSERT INTO dirty_adapters AS d (adapter, partition, position, resealed, traceparent)
       SELECT *, $5 FROM unnest($1::int[], $2::int[], $3::int8[], $4::bool[])
         AS m(adapter, partition, position, resealed)
       ORDER BY adapter, partition
       ON CONFLICT (adapter, partition) DO UPDATE
         SET position = greatest(d.position, excluded.position),
             resealed = d.resealed AND excluded.resealed,
             traceparent = coalesce(excluded.traceparent, d.traceparent)`,
      [
        int4Array(marks.map(({ adapter }) => adapter)),
        int4Array(marks.map(({ partition }) => partition)),
        int8Array(marks.map(({ position }) => position)),
        marks.map(({ adapter }) => !this.#changed.has(adapter)),
        traceparent,
      ],
    );
  }
}
