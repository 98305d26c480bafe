import type { Fact } from '../events/retention.js';
import { decide, evolve } from '../events/retention.js';
import { REQUEST_HEADER } from '../log/event-log.js';
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
export type Item = ContentItem | Of<'deletion'> | Of<'rejected'>;

/**
 * What a batch of records changes, given what is known of the samples that it names. Pure: the rule is
 * the decider's (`events/retention`); this gives its decisions their places and their content.
 */
export function fold(known: Known, items: readonly Item[], classes: readonly string[]): Changes {
  const batch = new Fold(known, classes);
  for (const item of items) {
    if (item.kind === 'content') batch.content(item);
    else if (item.kind === 'deletion') batch.deletion(item);
    else batch.rejected(item);
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
      this.#tracks.remove(sampleId, requestId, record, false);
    } else if (state.status === 'deleted') {
      this.#tracks.erase(sampleId);
    } else {
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

  rejected(item: Of<'rejected'>): void {
    const { key } = item.record;
    this.letters.reject(item);
    // Whatever it is, it may hold content of the sample whose key it has.
    if (key !== null && this.#tracks.isDeleted(key)) this.#tracks.erase(key);
  }

  deletion({ event, record }: Of<'deletion'>): void {
    const at = { partition: record.partition, position: record.position };
    const { request } = event;
    if (event.kind === 'deleted') {
      const { sampleId } = event;
      const known = this.#tracks.get(sampleId).state.status;
      const reminderOf = record.headers[REQUEST_HEADER];
      if (known === 'deleted') this.#tracks.declare(sampleId, record);
      else {
        const requestId = reminderOf ?? request.requestId;
        this.#tracks.remove(sampleId, requestId, record, record.key === sampleId);
      }
      // The log's own reminder of a deletion is no request.
      if (reminderOf !== undefined) return;
      const removed = known === 'retained' ? 1 : 0;
      this.#requests.push({ request, kind: 'sample', target: sampleId, at, removed });
      return;
    }
    const { subjectId, time } = event;
    const removed = this.#eraseSubject(subjectId, time, request.requestId, record);
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
      this.#tracks.remove(sampleId, requestId, record, false);
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
