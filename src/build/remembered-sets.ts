import type { SetState } from '../audit/sets/pages.js';
import type { Database } from '../store/database.js';
import type { Cut } from './plan.js';

/** The states of all sets at a cut. */
type Remembered = { readonly cut: Cut; readonly states: ReadonlyMap<number, SetState> };

const remembered = new WeakMap<Database, Remembered>();

/** Keeps the states of a version that is committed, so that the next build need not read them all. */
export function rememberStates(database: Database, states: Remembered): void {
  remembered.set(database, states);
}

/** Once only: whatever comes of a build, what it began with is not what the next one begins with. */
export function takeStates(database: Database): Remembered | undefined {
  const known = remembered.get(database);
  remembered.delete(database);
  return known;
}
