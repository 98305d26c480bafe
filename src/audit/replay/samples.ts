import { equalBytes } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';

/*
 * What the log says of each commitment, in a few long arrays: no object for each of millions.
 */

/** By rows: the n-th commitment that was ingested has row n. */
export type LoggedSamples = {
  readonly ingest: (index: number, commitment: Uint8Array, membership: Uint8Array) => void;
  readonly remove: (index: number, commitment: Uint8Array) => void;
  readonly count: () => number;
  /** -1: never ingested. */
  readonly find: (commitment: Uint8Array) => number;
  readonly commitment: (row: number) => Uint8Array;
  readonly membership: (row: number) => Uint8Array;
  /** Index of the entry by which it came, the last time. */
  readonly ingested: (row: number) => number;
  /** Index of the entry by which it went, the last time; -1: it never did. */
  readonly removed: (row: number) => number;
  readonly isLive: (row: number) => boolean;
  /** Marks a row with a number, to be found again; -1 before. */
  readonly mark: (row: number, value: number) => void;
  readonly marked: (row: number) => number;
};

const FREE = -1;
const ROW = 2 * HASH_BYTES;

export function loggedSamples(capacity = 1024): LoggedSamples {
  let bytes = new Uint8Array(capacity * ROW);
  let ingested = new Float64Array(capacity);
  let removed = new Float64Array(capacity).fill(-1);
  let marks = new Int32Array(capacity).fill(-1);
  let places = new Int32Array(2 * capacity).fill(FREE);
  let count = 0;

  const commitment = (row: number) => bytes.subarray(row * ROW, row * ROW + HASH_BYTES);
  const membership = (row: number) => bytes.subarray(row * ROW + HASH_BYTES, (row + 1) * ROW);
  const isLive = (row: number) => (ingested[row] as number) > (removed[row] as number);

  /** Where the commitment is in `places`, or where it is to go. */
  function placeOf(wanted: Uint8Array): number {
    let place = prefixOf(wanted) % places.length;
    for (;;) {
      const row = places[place] as number;
      if (row === FREE || equalBytes(commitment(row), wanted)) return place;
      place = (place + 1) % places.length;
    }
  }

  function grow(): void {
    const wider = 2 * marks.length;
    bytes = copied(new Uint8Array(wider * ROW), bytes);
    ingested = copied(new Float64Array(wider), ingested);
    removed = copied(new Float64Array(wider).fill(-1), removed);
    marks = copied(new Int32Array(wider).fill(-1), marks);
    places = new Int32Array(2 * wider).fill(FREE);
    for (let row = 0; row < count; row++) places[placeOf(commitment(row))] = row;
  }

  const find = (wanted: Uint8Array): number => places[placeOf(wanted)] as number;

  return {
    ingest: (index, wanted, value) => {
      let row = find(wanted);
      if (row !== FREE && isLive(row)) {
        if (equalBytes(membership(row), value)) return;
        throw new Error(`entry ${index} ingests once more what is there, with other adapters`);
      }
      if (row === FREE) {
        if (count === marks.length) grow();
        row = count++;
        places[placeOf(wanted)] = row;
        bytes.set(wanted, row * ROW);
      }
      bytes.set(value, row * ROW + HASH_BYTES);
      ingested[row] = index;
    },
    remove: (index, wanted) => {
      const row = find(wanted);
      if (row === FREE) throw new Error(`entry ${index} deletes what was never ingested`);
      if (isLive(row)) removed[row] = index;
    },
    count: () => count,
    find,
    commitment,
    membership,
    ingested: (row) => ingested[row] as number,
    removed: (row) => removed[row] as number,
    isLive,
    mark: (row, value) => {
      marks[row] = value;
    },
    marked: (row) => marks[row] as number,
  };
}

/** Commitments are hashes: any of their bits will do. */
const prefixOf = (bytes: Uint8Array): number =>
  (((bytes[0] as number) << 24) |
    ((bytes[1] as number) << 16) |
    ((bytes[2] as number) << 8) |
    (bytes[3] as number)) >>>
  0;

function copied<T extends Uint8Array | Float64Array | Int32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
