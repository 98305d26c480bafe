import type { ClientBase } from 'pg';
import type { Keys } from '../model/activation.js';
import type { Model } from '../model/model.js';
import { int4Array, int8Array } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { PROJECTION } from '../store/lock.js';
import { UNPLACED } from '../store/placement.js';
import { lockAdapters } from '../store/statistics.js';
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
  /** To be built again: their key, their members, or what these are committed to has changed. */
  readonly #changed: Set<number>;
  /** Their members are others, even before positions to which statistics are kept. */
  readonly #moved = new Set<number>();
  /** The last position that has come to each, by partition. */
  readonly #come = new Map<number, Map<number, bigint>>();

  constructor(changed: Iterable<number>) {
    this.#changed = new Set(changed);
  }

  add(placed: readonly Placed[]): void {
    for (const { at, from, adapters } of placed) {
      if (from.length === 0) this.#comes(at, adapters);
      else {
        for (const adapter of [...from, ...adapters]) {
          this.#changed.add(adapter);
          if (from.includes(adapter) !== adapters.includes(adapter)) this.#moved.add(adapter);
        }
      }
    }
  }

  #comes({ partition, position }: Placed['at'], adapters: readonly number[]): void {
    const last = this.#come.get(partition) ?? new Map<number, bigint>();
    this.#come.set(partition, last);
    for (const adapter of adapters) last.set(adapter, position);
  }

  async write(client: Queryable): Promise<void> {
    const moved = int4Array([...this.#moved]);
    if (this.#moved.size > 0) {
      await lockAdapters(client, [...this.#moved]);
      await client.query('DELETE FROM adapter_statistics WHERE adapter = ANY($1::int[])', [moved]);
    }
    const { rows } = await client.query<{ traceparent: string | null }>(
      `DELETE FROM dirty_adapters WHERE adapter = ${UNPLACED} RETURNING traceparent`,
    );
    const traceparent = rows.find((row) => row.traceparent !== null)?.traceparent ?? null;
    for (const [partition, last] of this.#come) {
      const positions = int8Array([...last.values()]);
      await mark(client, partition, [...last.keys()], positions, traceparent);
    }
    // No record's: any cut covers it, and a build whose cut was before this is not committed.
    const before = int8Array([...this.#changed].map(() => -1n));
    await mark(client, 0, [...this.#changed], before, traceparent);
  }
}

/** Marks in order of adapter, as the projection does. */
async function mark(
  client: Queryable,
  partition: number,
  adapters: readonly number[],
  positions: Buffer,
  traceparent: string | null,
): Promise<void> {
  if (adapters.length === 0) return;
  await client.query(
    `INSERT INTO dirty_adapters AS d (adapter, partition, position, traceparent)
     SELECT adapter, $2, position, $4 FROM unnest($1::int[], $3::int8[]) AS m(adapter, position)
     ORDER BY adapter
     ON CONFLICT (adapter, partition) DO UPDATE
       SET position = greatest(d.position, excluded.position),
           traceparent = coalesce(excluded.traceparent, d.traceparent)`,
    [int4Array(adapters), partition, positions, traceparent],
  );
}
