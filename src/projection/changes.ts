import type { Request } from '../events/event.js';
import type { SampleState } from '../events/retention.js';
import type { Seal, SealedRequest } from './seals.js';

/** A record's place in the sample-events topic. */
export type Position = { readonly partition: number; readonly position: bigint };

export type RetainedState = Extract<SampleState, { status: 'retained' }>;

/** A retained sample, as its row has it. */
export type StoredSample = {
  readonly state: RetainedState;
  /** The record that its content came from. */
  readonly at: Position;
  /** The record of the first content it ever had: tells which versions have held it. */
  readonly first: Position;
  /** The record of the ingest that stands, if one is known. */
  readonly ingestAt: Position | null;
  readonly label: number;
  readonly encoding: Int8Array;
  /** Its memberships, nearest first: what the seal commits to. */
  readonly adapters: readonly number[];
  /** It has none yet, whatever the seal says: a build will place it, by keys that are samples themselves. */
  readonly unplaced: boolean;
  readonly seal: Seal;
  /** The audit log's entry of this content; null until it has one. */
  readonly leaf: LeafPlace | null;
  /** Where the log holds records of it, the first of each partition; null: of its first content only. */
  readonly payloads: ReadonlyMap<number, bigint> | null;
};

/** An entry of the audit log, by the batch that queued it. */
export type LeafPlace = { readonly batch: bigint; readonly entry: number };

/** A request, as what it removes refers to it. */
export type RequestRef = {
  readonly requestId: string;
  /** Its commitment; null if only the log's own record of the deletion is left of it. */
  readonly commitment: Uint8Array | null;
};

export type Tombstone = {
  readonly at: Position;
  readonly requestId: string;
  readonly first: Position | null;
};

/** What the audit log has of a sample's content. */
export type SealedSample = Pick<StoredSample, 'adapters' | 'seal' | 'leaf'>;

/** Content that is not in force any more, because of a request or of other content (null). */
export type GoneContent = {
  readonly sampleId: string;
  readonly sample: SealedSample;
  readonly because: RequestRef | null;
};

/** One sample before and after a batch; a side without sample has none retained. */
export type SampleChange = {
  readonly sampleId: string;
  readonly before: StoredSample | null;
  readonly after: StoredSample | null;
};

/** A request for deletion, and how many retained samples it removed. */
export type RequestRow = {
  readonly request: Request;
  readonly sealed: SealedRequest;
  readonly kind: 'sample' | 'subject';
  readonly target: string;
  readonly at: Position;
  /** When the log took it in, microseconds since 1970. */
  readonly loggedAt: bigint;
  readonly removed: number;
  /** The W3C trace context of its event. */
  readonly traceparent: string | null;
};

/** A record that could not be applied. `digest` is set for content in conflict with what stands. */
export type Letter = {
  readonly at: Position;
  readonly digest: string | null;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly time: bigint;
  readonly code: string;
  readonly reason: string;
};

/** A subject's erasure: of all content that names it, up to an event time. */
export type SubjectErasure = RequestRef & { readonly until: bigint };

/** Everything that a batch of records changes. */
export type Changes = {
  readonly samples: readonly SampleChange[];
  /** In the order in which it went. */
  readonly gone: readonly GoneContent[];
  /** Samples that a replay has met again, with the content whose seal was saved. */
  readonly restored: readonly string[];
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  /** The erasures that grew, by subject. */
  readonly subjectErasures: ReadonlyMap<string, SubjectErasure>;
  readonly requests: readonly RequestRow[];
  /** Conflicts that are none any more, to be taken back before `letters` are written. */
  readonly withdrawn: readonly Pick<Letter, 'key' | 'digest'>[];
  readonly letters: readonly Letter[];
  readonly erasures: readonly ErasureChange[];
  /** Samples to be written again, whose last record does not say all that is known of them. */
  readonly restatements: readonly Restatement[];
};

/** `raw`: a raw input is among the records that the next one supersedes. */
export type Restatement = Position & { readonly sampleId: string; readonly raw: boolean };

/** Records of a key in a partition, from the first to the last known, that the log must forget. */
export type ErasureChange = {
  readonly key: string;
  readonly partition: number;
  readonly first: bigint;
  readonly last: bigint;
};

/** What tells a request on record from all others, as one text: ids have no control characters. */
export const requestKey = (requestId: string, kind: string, target: string): string =>
  `${requestId}\n${kind}\n${target}`;

/** What the database knows of the samples and subjects that a batch names. */
export type Known = {
  readonly samples: ReadonlyMap<string, StoredSample>;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  readonly subjectErasures: ReadonlyMap<string, SubjectErasure>;
  /** Commitments of the requests on record that the log's own notes name, by `requestKey`. */
  readonly requests: ReadonlyMap<string, Uint8Array>;
  /** Seals of samples that a replay has dropped and not met again. */
  readonly savedSeals: ReadonlyMap<string, SavedSeal>;
};

/** The seal of the content with this digest (hex), and its entry in the audit log. */
export type SavedSeal = {
  readonly digest: string;
  readonly seal: Seal;
  readonly leaf: LeafPlace;
  /** What the seal's membership commits to; null in replays that an older Legonet began. */
  readonly adapters: readonly number[] | null;
};
