import { subjectKey } from '../events/cloud-event.js';
import { isOwnDeletion } from '../events/own-records.js';
import type { LogRecord } from '../events/record.js';
import type { Fact } from '../events/retention.js';
import { decide, evolve } from '../events/retention.js';
import type { Changes, Known, RequestRow, SubjectErasure } from './changes.js';
import type { Interpreted } from './interpret.js';
import { Letters } from './letters.js';
import { Tracks } from './tracks.js';

type Of<Kind extends Interpreted['kind']> = Extract<Interpreted, { kind: Kind }>;
type ContentItem = Of<'content'> & {
  /** The nearest adapters. */
  readonly adapters: readonly number[];
};

/** A record that can be applied, with the memberships of its content. */
export type Item = ContentItem | Of<'deletion'> | Of<'rejected'> | Of<'roll'>;

/**
 * What a batch of records changes, given what is known of the samples that it names. Pure: the rule is
 * the decider's (`events/retention`); this gives its decisions their places and their content.
 */
export function fold(known: Known, items: readonly Item[], classes: readonly string[]): Changes {
  const batch = new Fold(known, classes);
  for (const item of items) {
    if (item.kind === 'content') batch.content(item);
    else if (item.kind === 'deletion') batch.deletion(item);
    else if (item.kind === 'rejected') batch.letters.reject(item);
    batch.keep(item.record);
  }
  return batch.changes();
}

class Fold {
  readonly letters: Letters;
  readonly #tracks: Tracks;
  readonly #known: Known;
  readonly #grown = new Map<string, SubjectErasure>();
  readonly #requests: RequestRow[] = [];

  constructor(known: Known, classes: readonly string[]) {
    this.letters = new Letters(classes);
    this.#known = known;
    this.#tracks = new Tracks(known);
  }

  content({ event, content, adapters, record }: ContentItem): void {
    const { sampleId, eventId, source, time, subjectId } = event;
    const track = this.#tracks.get(sampleId);
    const version = { time, eventId, source, digest: content.digest };
    const role = event.kind === 'ingested' ? 'ingest' : 'correction';
    const fact: Fact = { kind: 'content', role, version, ...(subjectId && { subjectId }) };
    const decision = decide(track.state, fact, (subject) => this.#erasure(subject)?.until);
    const state = evolve(track.state, decision);
    if (decision.kind === 'discard') {
      const requestId = this.#erasure(subjectId ?? '')?.requestId ?? eventId;
      this.#tracks.remove(sampleId, requestId, record);
    } else if (state.status === 'retained') {
      if (decision.kind === 'conflict') this.letters.conflict(record, content.digest);
      if (decision.kind === 'displace') {
        this.letters.withdraw(sampleId, content.digest);
        this.letters.displaced(sampleId, track, decision);
      }
      const takesForce =
        decision.kind === 'retain' ||
        decision.kind === 'replace' ||
        (decision.kind === 'displace' && decision.replaces);
      this.#tracks.update(sampleId, state, record, takesForce ? { ...content, adapters } : null);
    }
  }

  /** What the log may go on holding of a record: nothing, under the key of a deleted sample. */
  keep(record: LogRecord): void {
    const { key } = record;
    if (key === null || isOwnDeletion(record)) return;
    // Whatever the record is, it may hold content of the sample whose key it has.
    if (this.#tracks.isDeleted(key)) this.#tracks.erasures.record(key, record);
    else this.#tracks.sawPayload(key, record);
  }

  deletion({ event, record }: Of<'deletion'>): void {
    const at = { partition: record.partition, position: record.position };
    const { request } = event;
    const isOwn = isOwnDeletion(record);
    if (event.kind === 'deleted') {
      const { sampleId } = event;
      const known = this.#tracks.get(sampleId).state.status;
      if (known !== 'deleted') this.#tracks.remove(sampleId, request.requestId, record);
      // The log's own deletion is no request, and is what stays of all others.
      if (isOwn) return;
      this.#tracks.erasures.record(sampleId, record);
      const removed = known === 'retained' ? 1 : 0;
      this.#requests.push({ request, kind: 'sample', target: sampleId, at, removed });
      return;
    }
    const { subjectId, time } = event;
    const removed = this.#eraseSubject(subjectId, time, request.requestId, record);
    if (isOwn) return;
    this.#tracks.erasures.record(subjectKey(subjectId), record);
    this.#requests.push({ request, kind: 'subject', target: subjectId, at, removed });
  }

  #eraseSubject(
    subjectId: string,
    until: bigint,
    requestId: string,
    record: Interpreted['record'],
  ): number {
    const before = this.#erasure(subjectId);
    if (before && before.until >= until) return 0;
    this.#grown.set(subjectId, { until, requestId });
    let removed = 0;
    for (const sampleId of this.#tracks.ofSubject(subjectId)) {
      const { state } = this.#tracks.get(sampleId);
      const decision = decide(state, { kind: 'erase', subjectId, until }, () => undefined);
      if (decision.kind !== 'delete') continue;
      this.#tracks.remove(sampleId, requestId, record);
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
      ...this.letters.changes(isDeleted),
    };
  }
}
