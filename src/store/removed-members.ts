import type { Database } from './database.js';

/*
 * What a build subtracts from kept statistics, from the projection of a deletion to the next version: in
 * memory only, for the database must not have it any more. A build without it sums its members again.
 */

/** The record that a content came from. */
type Place = { readonly partition: number; readonly position: bigint };

/** Content that is not there any more. */
export type RemovedContent = { readonly encoding: Int8Array; readonly label: number };

/** The same, where it came from, and the record by which it went. */
export type Removed = Place & RemovedContent & { readonly by: Place };

/** More than a build makes use of: see `MAX_OWED`. */
const MOST = 1000;

const expected = new WeakMap<Database, Map<string, Removed>>();

const nameOf = ({ partition, position }: Place): string => `${partition} ${position}`;

/** From now on what is removed is handed over to the builds of this process; returns what ends it. */
export function expectRemoved(database: Database): () => void {
  const contents = new Map<string, Removed>();
  expected.set(database, contents);
  return () => {
    if (expected.get(database) === contents) expected.delete(database);
  };
}

/** False where no build of this process is to come, or it is too much for one. */
export function handOver(database: Database, removed: readonly Removed[]): boolean {
  const contents = expected.get(database);
  if (!contents || contents.size + removed.length > MOST) return false;
  for (const one of removed) contents.set(nameOf(one), one);
  return true;
}

/** What was handed over; null if it was not, or not to this process. */
export function removedContent(database: Database, place: Place): RemovedContent | null {
  const found = expected.get(database)?.get(nameOf(place));
  return found ? { encoding: found.encoding, label: found.label } : null;
}

/** What a version at this cut is without is not needed any more. */
export function forgetRemoved(
  database: Database,
  cut: Readonly<Record<string, bigint | undefined>>,
): void {
  const contents = expected.get(database);
  for (const [name, { by }] of contents ?? []) {
    if (by.position < (cut[by.partition] ?? 0n)) contents?.delete(name);
  }
}
