import { encodeLeaf } from '../audit/leaves.js';
import type { Changes, GoneContent, LeafPlace, RequestRow, SealedSample } from './changes.js';
import type { Requests } from './write-requests.js';

/** The audit log's entries of a batch, and which of them records what. */
export type Leaves = {
  readonly entries: readonly Uint8Array[];
  /** The entry of each content's ingest, if it is among these. */
  readonly ingests: ReadonlyMap<SealedSample, number>;
  readonly deletions: ReadonlyMap<GoneContent, number>;
  /** Of requests that took nothing away. */
  readonly requests: ReadonlyMap<RequestRow, number>;
};

/** Every content that came into force, whatever became of it within the batch, and every one that went. */
export function leavesOf({ samples, gone }: Changes, requests: Requests): Leaves {
  const entries: Uint8Array[] = [];
  const add = (leaf: Parameters<typeof encodeLeaf>[0]) => entries.push(encodeLeaf(leaf)) - 1;
  const ingests = new Map<SealedSample, number>();
  const ingest = (sample: SealedSample | null) => {
    if (!sample || sample.leaf) return;
    const { commitment, membership } = sample.seal;
    ingests.set(sample, add({ kind: 'ingest', commitment, membership }));
  };
  for (const { sample } of gone) ingest(sample);
  // What is not placed yet comes into the log when it is.
  for (const { after } of samples) if (!after?.unplaced) ingest(after);
  const deletions = new Map(
    gone.map((one) => {
      const { commitment } = one.sample.seal;
      const request = one.because && requests.commitmentOf(one.because);
      return [one, add({ kind: 'delete', commitment, request })] as const;
    }),
  );
  const idle = requests.fresh.filter(({ removed }) => removed === 0);
  const asked = idle.map((row) => {
    const { commitment: request } = row.sealed;
    return [row, add({ kind: 'delete', commitment: null, request })] as const;
  });
  return { entries, ingests, deletions, requests: new Map(asked) };
}

/** Where a content's ingest is in the log; null if it is not there yet. */
export function placeOf(
  sample: SealedSample,
  { ingests }: Leaves,
  batch: bigint,
): LeafPlace | null {
  const entry = ingests.get(sample);
  return sample.leaf ?? (entry === undefined ? null : { batch, entry });
}
