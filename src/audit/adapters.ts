import { concat, uint32, uint64 } from './bytes.js';
import { leafHash } from './hash.js';
import { rootOf } from './log/merkle.js';

/*
 * The two trees over all adapters, in order of adapter id: what each is to be trained on, and what came of
 * it. RFC 6962, so that one adapter's entry is opened without the others.
 */

/** An adapter's training set. */
export type AdapterSet = {
  /** Root of the sparse Merkle tree over its members, 32 bytes. */
  readonly setRoot: Uint8Array;
  readonly members: bigint;
};

export type TrainedAdapter = AdapterSet & {
  /** Weights digest, 32 bytes. */
  readonly weights: Uint8Array;
  /** The version for which it was built; a later one may carry it. */
  readonly builtIn: number;
};

/** Entry of the tree `sets` of a train-intent: 40 bytes. */
export const setEntry = ({ setRoot, members }: AdapterSet): Uint8Array =>
  concat(setRoot, uint64(members));

/** Entry of the tree `adapters` of a version: 76 bytes. */
export const adapterEntry = ({ weights, setRoot, members, builtIn }: TrainedAdapter): Uint8Array =>
  concat(weights, setRoot, uint64(members), uint32(builtIn));

/** Leaf hashes: `rootOf` and `multiproof` of `log/merkle.ts` do the rest. */
const setLeaves = (adapters: readonly AdapterSet[]): Uint8Array[] =>
  adapters.map((adapter) => leafHash(setEntry(adapter)));

export const adapterLeaves = (adapters: readonly TrainedAdapter[]): Uint8Array[] =>
  adapters.map((adapter) => leafHash(adapterEntry(adapter)));

/** `sets` of a train-intent, 32 bytes. */
export const setsRoot = (adapters: readonly AdapterSet[]): Uint8Array =>
  rootOf(setLeaves(adapters));

/** `adapters` of a version, 32 bytes. */
export const adaptersRoot = (adapters: readonly TrainedAdapter[]): Uint8Array =>
  rootOf(adapterLeaves(adapters));
