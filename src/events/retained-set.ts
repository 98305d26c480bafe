import type { ContentEvent } from './event.js';
import { compareVersions, type Version } from './version.js';

/** A sample event with its content's digest in its content's stead. */
export type DigestedEvent =
  | (Version & Pick<ContentEvent, 'kind' | 'sampleId' | 'subjectId'>)
  | { readonly kind: 'deleted'; readonly sampleId: string }
  | { readonly kind: 'erased'; readonly subjectId: string; readonly time: bigint };

type Content = Extract<DigestedEvent, Version>;

export type RetainedSet = {
  /** Sample id to the digest of the content in force. */
  readonly retained: ReadonlyMap<string, string>;
  /** Sample id to the digests of the ingests that conflict with the one that stands. */
  readonly conflicts: ReadonlyMap<string, ReadonlySet<string>>;
};

/**
 * What is retained after a set of events, word for word as the rule has it (design, section 4), in
 * quadratic time. It defines what the decider in `retention.ts` must come to one event at a time.
 */
export function retainedSet(events: readonly DigestedEvent[]): RetainedSet {
  const contents = events.filter((event) => 'digest' in event);
  const isErased = (content: Content): boolean =>
    events.some(
      (event) =>
        event.kind === 'erased' &&
        event.subjectId === content.subjectId &&
        event.time >= content.time,
    );

  const retained = new Map<string, string>();
  const conflicts = new Map<string, ReadonlySet<string>>();
  for (const sampleId of new Set(contents.map((content) => content.sampleId))) {
    const own = contents.filter((content) => content.sampleId === sampleId);
    const deleted = events.some((e) => e.kind === 'deleted' && e.sampleId === sampleId);
    if (deleted || own.some(isErased)) continue;

    const ingest = own.filter(({ kind }) => kind === 'ingested').sort(compareVersions)[0];
    const correction = own
      .filter(({ kind }) => kind === 'corrected')
      .sort(compareVersions)
      .at(-1);
    const inForce = correction ?? ingest;
    if (inForce) retained.set(sampleId, inForce.digest);

    const others = own.filter((e) => e.kind === 'ingested' && e.digest !== ingest?.digest);
    if (others.length > 0) conflicts.set(sampleId, new Set(others.map(({ digest }) => digest)));
  }
  return { retained, conflicts };
}
