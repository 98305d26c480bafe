import type { LogRecord } from '../events/record.js';
import { contentInForce, type SampleState, UNKNOWN_SAMPLE } from '../events/retention.js';
import type {
  GoneContent,
  Known,
  Position,
  RequestRef,
  RetainedState,
  SampleChange,
  SealedSample,
  StoredSample,
  Tombstone,
} from './changes.js';
import { Erasures } from './erasures.js';
import type { Placed } from './fold.js';

/** A sample on its way through a batch. */
export type Track = {
  readonly state: SampleState;
  readonly sample: StoredSample | null;
};

/** The samples that a batch touches: what they were before it, and what they are so far. */
export class Tracks {
  readonly erasures = new Erasures();
  readonly #known: Known;
  readonly #tracks = new Map<string, Track>();
  readonly #stones = new Map<string, Tombstone>();
  readonly #gone: GoneContent[] = [];
  readonly #restored = new Set<string>();
  /** By the key under which they came: there is no such sample, perhaps not yet. */
  readonly #strays = new Map<string, LogRecord[]>();
  readonly #bySubject = new Map<string, Set<string>>();

  constructor(known: Known) {
    this.#known = known;
    for (const [id, sample] of known.samples) this.#index(id, sample.state);
  }

  get(sampleId: string): Track {
    return this.#tracks.get(sampleId) ?? this.#before(sampleId);
  }

  isDeleted(sampleId: string): boolean {
    return this.get(sampleId).state.status === 'deleted';
  }

  /** Retained samples with content that named the subject. */
  ofSubject(subjectId: string): readonly string[] {
    return [...(this.#bySubject.get(subjectId) ?? [])].filter((id) => !this.isDeleted(id));
  }

  /** The sample in its new state; with `content`, the record's content is in force from here. */
  update(sampleId: string, state: SampleState, record: LogRecord, content: Placed | null): void {
    const { state: old, sample } = this.get(sampleId);
    if (state.status !== 'retained') return;
    const payloads = sample ? withPayload(sample, record) : null;
    if (state === old && !content && payloads === (sample?.payloads ?? null)) return;
    const at = positionOf(record);
    const placed = content ? this.#placed(sampleId, content, at) : null;
    if (sample && placed) this.#gone.push({ sampleId, sample, because: null });
    const ingestIsNew = old.status !== 'retained' || old.ingest !== state.ingest;
    const ingestAt = state.ingest ? (ingestIsNew ? at : (sample?.ingestAt ?? at)) : null;
    const now = placed ?? sample;
    if (!now) return;
    const { label, encoding, adapters, unplaced, seal, leaf } = now;
    const first = sample?.first ?? at;
    // Named one by one: a million are made, and spreads are slow.
    const next: StoredSample = {
      state,
      at: now.at,
      first,
      ingestAt,
      label,
      encoding,
      adapters,
      unplaced,
      seal,
      leaf,
      payloads,
    };
    this.#tracks.set(sampleId, { state, sample: next });
    this.#index(sampleId, state);
  }

  /** A record under the key of a sample that says nothing of it, and may hold anything. */
  sawPayload(sampleId: string, record: LogRecord): void {
    const { state, sample } = this.get(sampleId);
    if (!sample) {
      const strays = this.#strays.get(sampleId) ?? [];
      strays.push(record);
      this.#strays.set(sampleId, strays);
      return;
    }
    const payloads = withPayload(sample, record);
    if (payloads !== sample.payloads) {
      this.#tracks.set(sampleId, { state, sample: { ...sample, payloads } });
    }
  }

  /** The sample gone for ever, and from the log. */
  remove(sampleId: string, because: RequestRef, record: LogRecord): void {
    const at = positionOf(record);
    const { sample } = this.get(sampleId);
    const { requestId } = because;
    this.#stones.set(sampleId, { at, requestId, first: sample?.first ?? null });
    const gone = sample ?? this.#lost(sampleId);
    if (gone) this.#gone.push({ sampleId, sample: gone, because });
    this.#tracks.set(sampleId, { state: { status: 'deleted' }, sample: null });
    if (sample) this.erasures.payloads(sampleId, payloadsOf(sample));
    for (const stray of this.#strays.get(sampleId) ?? []) this.erasures.record(sampleId, stray);
  }

  changes() {
    const samples: SampleChange[] = [...this.#tracks].map(([sampleId, { sample }]) => {
      const before = this.#known.samples.get(sampleId) ?? null;
      // Content that went and came back within the batch has not moved.
      const back = before && sample && digestOf(before) === digestOf(sample);
      if (!back) return { sampleId, before, after: sample };
      const { at, adapters, unplaced, seal, leaf } = before;
      return { sampleId, before, after: { ...sample, at, adapters, unplaced, seal, leaf } };
    });
    const kept = new Set(samples.map(({ after }) => after?.seal));
    const gone = this.#gone.filter(({ sample }) => !kept.has(sample.seal));
    const restored = [...this.#restored];
    const erasures = this.erasures.changes();
    return { samples, gone, restored, tombstones: this.#stones, erasures };
  }

  /** With the seal that it had before a replay, if that is what it is. */
  #placed(sampleId: string, content: Placed, at: Position) {
    const { label, encoding, adapters, unplaced, seal, digest } = content;
    const saved = this.#known.savedSeals.get(sampleId);
    if (saved?.digest !== digest) {
      return { at, label, encoding, adapters, unplaced, seal, leaf: null };
    }
    this.#restored.add(sampleId);
    const { seal: own, leaf } = saved;
    const known = saved.adapters ?? adapters;
    return { at, label, encoding, adapters: known, unplaced, seal: own, leaf };
  }

  /** Whether a request takes it away: it is retained, or was so before a replay that has not met it. */
  isThere(sampleId: string): boolean {
    const { state } = this.get(sampleId);
    if (state.status !== 'unknown') return state.status === 'retained';
    return Boolean(this.#known.savedSeals.get(sampleId)?.adapters);
  }

  /** Versions hold it, and a replay meets its deletion alone, or first. */
  #lost(sampleId: string): SealedSample | null {
    const saved = this.#known.savedSeals.get(sampleId);
    if (!saved?.adapters) return null;
    this.#restored.add(sampleId);
    return { adapters: saved.adapters, seal: saved.seal, leaf: saved.leaf };
  }

  #before(sampleId: string): Track {
    const sample = this.#known.samples.get(sampleId);
    if (sample) return { state: sample.state, sample };
    const deleted = this.#known.tombstones.has(sampleId);
    return { state: deleted ? { status: 'deleted' } : UNKNOWN_SAMPLE, sample: null };
  }

  #index(sampleId: string, { subjects }: RetainedState): void {
    for (const subject of subjects.keys()) {
      const samples = this.#bySubject.get(subject) ?? new Set<string>();
      this.#bySubject.set(subject, samples.add(sampleId));
    }
  }
}

function withPayload(sample: StoredSample, { partition, position }: LogRecord) {
  const { payloads, first } = sample;
  if (payloads ? payloads.has(partition) : partition === first.partition) return payloads;
  return new Map(payloadsOf(sample)).set(partition, position);
}

/** Where the log holds records of a sample: the first of each partition. */
const payloadsOf = ({ payloads, first }: StoredSample): ReadonlyMap<number, bigint> =>
  payloads ?? new Map([[first.partition, first.position]]);

const digestOf = ({ state }: StoredSample): string | undefined => contentInForce(state)?.digest;

export function positionOf({ partition, position }: LogRecord): Position {
  return { partition, position };
}
