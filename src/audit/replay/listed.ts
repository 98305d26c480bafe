import type { AdapterSet, TrainedAdapter } from '../adapters.js';
import { concat } from '../bytes.js';
import { membershipCommitment, setKey } from '../commitment.js';
import { buildSet } from '../sets/build.js';
import { ENTRY_BYTES } from '../sets/entries.js';
import type { HashPairs } from '../sets/hash-pairs.js';
import { type ListedSample, type ListingHead, readListing } from './listing.js';

/** A listing in memory: the samples in order of commitment, by row. */
export type Listed = {
  readonly head: ListingHead;
  /** Key and value of each sample in the sets, one after the other. */
  readonly entries: Uint8Array;
  /** Of each sample its adapters. */
  readonly adapters: Uint32Array;
};

/** The fast ones that there may be. */
export type Hashes = {
  readonly pairs?: HashPairs;
  readonly membership?: typeof membershipCommitment;
  readonly key?: typeof setKey;
};

/** More is not a listing, but an attempt on our memory. */
const MAX_RETAINED = 50_000_000;

/** Reads a listing; `each` is told every sample, its row and its membership. Throws `invalid_listing`. */
export async function readListed(
  chunks: AsyncIterable<Uint8Array>,
  each: (sample: ListedSample, row: number, membership: Uint8Array) => void,
  { membership: membershipOf = membershipCommitment, key: keyOf = setKey }: Hashes = {},
): Promise<Listed> {
  // Grown as samples come: what the head says is not believed.
  let entries = new Uint8Array(1024 * ENTRY_BYTES);
  let adapters = new Uint32Array(1024);
  let row = 0;
  const head = await readListing(chunks, ({ activated }) => (sample) => {
    if (row === MAX_RETAINED) throw new Error(`a listing of more than ${MAX_RETAINED} samples`);
    entries = roomFor(entries, (row + 1) * ENTRY_BYTES, (length) => new Uint8Array(length));
    adapters = roomFor(adapters, (row + 1) * activated, (length) => new Uint32Array(length));
    const membership = membershipOf(sample.membershipSalt, sample.adapters);
    entries.set(keyOf(sample.commitment), row * ENTRY_BYTES);
    entries.set(membership, row * ENTRY_BYTES + ENTRY_BYTES / 2);
    adapters.set(sample.adapters, row * activated);
    each(sample, row, membership);
    row++;
  });
  return {
    head,
    entries: entries.subarray(0, row * ENTRY_BYTES),
    adapters: adapters.subarray(0, row * head.activated),
  };
}

function roomFor<T extends Uint8Array | Uint32Array>(
  array: T,
  length: number,
  make: (length: number) => T,
): T {
  if (length <= array.length) return array;
  const wider = make(2 * length);
  wider.set(array);
  return wider;
}

/** Rows of each adapter's members. */
export function membersOf({ head, adapters }: Listed): Uint32Array[] {
  const counts = new Uint32Array(head.adapters.length);
  for (const adapter of adapters) (counts[adapter] as number)++;
  const members = Array.from(counts, (count) => new Uint32Array(count));
  counts.fill(0);
  adapters.forEach((adapter, i) => {
    const own = members[adapter] as Uint32Array;
    own[counts[adapter] as number] = Math.floor(i / head.activated);
    (counts[adapter] as number)++;
  });
  return members;
}

/** The whole retained set. */
export function retainedSet({ entries }: Listed, pairs?: HashPairs): AdapterSet {
  const { root, count } = buildSet(entries, pairs).state;
  return { setRoot: root, members: BigInt(count) };
}

/** What the version's `adapters` are to be, in order of id. */
export function trainedAdapters(
  { head, entries }: Listed,
  members: readonly Uint32Array[],
  pairs?: HashPairs,
): TrainedAdapter[] {
  return head.adapters.map(({ weights, builtIn }, adapter) => {
    const rows = members[adapter] as Uint32Array;
    const own = new Uint8Array(rows.length * ENTRY_BYTES);
    rows.forEach((row, i) => {
      own.set(entries.subarray(row * ENTRY_BYTES, (row + 1) * ENTRY_BYTES), i * ENTRY_BYTES);
    });
    const { root, count } = buildSet(own, pairs).state;
    return { weights, builtIn, setRoot: root, members: BigInt(count) };
  });
}

/** A listing in one piece as a stream. */
export async function* inOnePiece(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield concat(...parts);
}
