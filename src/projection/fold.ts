import { subjectKey } from '../events/cloud-event.js';
import type { ContentEvent } from '../events/event.js';
import { isOwnDeletion } from '../events/own-records.js';
import type { LogRecord } from '../events/record.js';
import type { Fact } from '../events/retention.js';
import { decide, evolve } from '../events/retention.js';
import {
  type Changes,
  type Known,
  type RequestRow,
  requestKey,
  type StoredSample,
  type SubjectErasure,
} from './changes.js';
import type { Content, Interpreted } from './interpret.js';
import { Letters } from './letters.js';
import { factsOf, Restatements } from './restatements.js';
import type { SealedRequest } from './seals.js';
import { Tracks } from './tracks.js';

type Of<Kind extends Interpreted['kind']> = Extract<Interpreted, { kind: Kind }>;
/** Content, its nearest adapters, and what it is committed to. */
export type Placed = Content & Pick<StoredSample, 'adapters' | 'unplaced' | 'seal'>;
type ContentItem = Of<'content'> &
  Pick<Placed, 'adapters' | 'unplaced' | 'seal'> & {
    /** Its record has the encoding in the place of the raw input that is in the log. */
    readonly wasInput: boolean;
  };
type DeletionItem = Of<'deletion'> & { readonly request: SealedRequest };

/** A record that can be applied, with the memberships of its content. */
export type Item = ContentItem | DeletionItem | Of<'rejected'> | Of<'roll'>;

export type FoldOptions = {
  readonly classes: readonly string[];
  /** Digest of the encoder. */
  readonly encoder: string;
  /** Whether the log keeps the last record of a key alone. */
  readonly compacts: boolean;
};

/**
 * What a batch of records changes, given what is known of the samples that it names. Pure: the rule is
 * the decider's (`events/retention`); this gives its decisions their places and their content.
 */
export function fold(known: Known, items: readonly Item[], options: FoldOptions): Changes {
  const batch = new Fold(known, options);
  for (const item of items) {
    let facts: readonly Fact[] = [];
    if (item.kind === 'content') facts = batch.content(item);
    else if (item.kind === 'deletion') batch.deletion(item);
    else if (item.kind === 'rejected') batch.letters.reject(item);
    batch.keep(item.record, facts, item.kind === 'content' && item.wasInput);
  }
  return batch.changes();
}

class Fold {
  readonly letters: Letters;
  readonly #tracks: Tracks;
  readonly #known: Known;
  readonly #grown = new Map<string, SubjectErasure>();
  readonly #requests: RequestRow[] = [];
  readonly #restatements: Restatements | null;

  constructor(known: Known, { classes, encoder, compacts }: FoldOptions) {
    this.letters = new Letters(classes, encoder);
    this.#known = known;
    this.#restatements = compacts ? new Restatements() : null;
    this.#tracks = new Tracks(known);
  }

  /** Returns what the record says. */
  content(item: ContentItem): readonly Fact[] {
    const { event, content, adapters, unplaced, seal, record } = item;
    const facts = factsOf(event, content.digest);
    const { label, encoding, digest } = content;
    const placed = { label, encoding, digest, adapters, unplaced, seal };
    for (const fact of facts) this.#apply(event, fact, record, fact === facts[0] ? placed : null);
    return facts;
  }

  /** Applies one fact of a record; its content is the record's own, or null if it is only remembered. */
  #apply(event: ContentEvent, fact: Fact, record: LogRecord, content: Placed | null): void {
    const { sampleId, eventId, subjectId = '' } = event;
    const track = this.#tracks.get(sampleId);
    const decision = decide(track.state, fact, (subject) => this.#erasure(subject)?.until);
    const state = evolve(track.state, decision);
    if (decision.kind === 'discard') {
      const subject = fact.kind === 'named' ? fact.subjectId : subjectId;
      const erasure = this.#erasure(subject) ?? { requestId: eventId, commitment: null };
      this.#tracks.remove(sampleId, erasure, record);
    } else if (state.status === 'retained') {
      if (decision.kind === 'conflict') this.letters.conflict(record, decision.version.digest);
      if (decision.kind === 'displace') {
        this.letters.withdraw(sampleId, decision.version.digest);
        this.letters.displaced(sampleId, track, decision);
      }
      const takesForce =
        decision.kind === 'retain' ||
        decision.kind === 'replace' ||
        (decision.kind === 'displace' && decision.replaces);
      this.#tracks.update(sampleId, state, record, takesForce ? content : null);
    }
  }

  /**
   * What the log may go on holding of a record: nothing, under the key of a deleted sample. And where it
   * keeps the last record alone, whether that one says enough, and no more: a raw input must go.
   */
  keep(record: LogRecord, facts: readonly Fact[], wasInput: boolean): void {
    const { key } = record;
    if (key === null || isOwnDeletion(record)) return;
    // Whatever the record is, it may hold content of the sample whose key it has.
    if (this.#tracks.isDeleted(key)) this.#tracks.erasures.record(key, record);
    else this.#tracks.sawPayload(key, record);
    this.#restatements?.saw(key, record, facts, this.#tracks.get(key).state, wasInput);
  }

  deletion({ event, record, request: sealed }: DeletionItem): void {
    const at = { partition: record.partition, position: record.position };
    const traceparent = event.trace?.traceparent ?? null;
    const logged = { at, loggedAt: record.time, traceparent, sealed };
    const { request } = event;
    const isOwn = isOwnDeletion(record);
    const { requestId } = request;
    if (event.kind === 'deleted') {
      const { sampleId } = event;
      const ref = { requestId, commitment: isOwn ? null : sealed.commitment };
      const removed = this.#tracks.isThere(sampleId) ? 1 : 0;
      if (!this.#tracks.isDeleted(sampleId)) this.#tracks.remove(sampleId, ref, record);
      // The log's own deletion is no request, and is what stays of all others.
      if (isOwn) return;
      this.#tracks.erasures.record(sampleId, record);
      this.#requests.push({ request, kind: 'sample', target: sampleId, ...logged, removed });
      return;
    }
    const { subjectId, time } = event;
    // The log's own note of it does not say what the request on record is committed to.
    const recorded = this.#known.requests.get(requestKey(requestId, 'subject', subjectId)) ?? null;
    const erasure = { requestId, commitment: isOwn ? recorded : sealed.commitment, until: time };
    const removed = this.#eraseSubject(subjectId, erasure, record);
    if (isOwn) return;
    this.#tracks.erasures.record(subjectKey(subjectId), record);
    this.#requests.push({ request, kind: 'subject', target: subjectId, ...logged, removed });
  }

  #eraseSubject(subjectId: string, erasure: SubjectErasure, record: Interpreted['record']): number {
    const before = this.#erasure(subjectId);
    const { until } = erasure;
    if (before && before.until >= until) return 0;
    this.#grown.set(subjectId, erasure);
    let removed = 0;
    for (const sampleId of this.#tracks.ofSubject(subjectId)) {
      const { state } = this.#tracks.get(sampleId);
      const decision = decide(state, { kind: 'erase', subjectId, until }, () => undefined);
      if (decision.kind !== 'delete') continue;
      this.#tracks.remove(sampleId, erasure, record);
      removed++;
    }
    return removed;
  }

  #erasure(subject: string): SubjectErasure | undefined {
    return this.#grown.get(subject) ?? this.#known.subjectErasures.get(subject);
  }

  changes(): Changes {
    const isDeleted = (key: string) => this.#tracks.isDeleted(key);
    return {
      ...this.#tracks.changes(),
      subjectErasures: this.#grown,
      requests: this.#requests,
      restatements: this.#restatements?.changes(isDeleted) ?? [],
      ...this.letters.changes(isDeleted),
    };
  }
}
