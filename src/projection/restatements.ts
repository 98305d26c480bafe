import type { ContentEvent } from '../events/event.js';
import type { LogRecord } from '../events/record.js';
import { type Fact, type SampleState, sameState, stateOf } from '../events/retention.js';
import type { Restatement } from './changes.js';

/** What a content event says of its sample: its own content first, then what it remembers. */
export function factsOf(event: ContentEvent, digest: string): [Fact, ...Fact[]] {
  const { eventId, source, time, subjectId, remembered } = event;
  const version = { time, eventId, source, digest };
  const role = event.kind === 'ingested' ? 'ingest' : 'correction';
  const own: Fact = { kind: 'content', role, version, ...(subjectId && { subjectId }) };
  if (!remembered) return [own];
  const others = (['ingest', 'correction'] as const).flatMap((other): Fact[] => {
    const known = remembered[other];
    return known && other !== role ? [{ kind: 'content', role: other, version: known }] : [];
  });
  const named = [...remembered.subjects].map(
    ([subject, first]): Fact => ({ kind: 'named', subjectId: subject, time: first }),
  );
  return [own, ...others, ...named];
}

/** Whether these facts alone lead to the state. */
function saysAll(facts: readonly Fact[], state: SampleState): boolean {
  const [fact] = facts;
  // Nearly every sample is ingested once and names no subject, or one.
  if (facts.length === 1 && fact?.kind === 'content' && state.status === 'retained') {
    const { ingest, correction, subjects } = state;
    const { subjectId, version, role } = fact;
    const named = subjectId === undefined ? 0 : 1;
    const isAlone = role === 'ingest' ? correction === undefined : ingest === undefined;
    if (isAlone && (ingest ?? correction) === version && subjects.size === named) return true;
  }
  return sameState(stateOf(facts), state);
}

/**
 * The samples whose last record of the batch, in its partition, does not say all that is known of them, or that
 * came as raw inputs, which must go.
 */
export class Restatements {
  readonly #last = new Map<string, Restatement>();

  /** A record under the sample's key, what it says of the sample, and what is known after it. */
  saw(
    sampleId: string,
    { partition, position }: LogRecord,
    facts: readonly Fact[],
    state: SampleState,
    wasInput: boolean,
  ): void {
    const place = `${partition} ${sampleId}`;
    const raw = wasInput || this.#last.get(place)?.raw === true;
    if (state.status === 'retained' && (raw || !saysAll(facts, state))) {
      this.#last.set(place, { sampleId, partition, position, raw });
    } else {
      this.#last.delete(place);
    }
  }

  changes(isDeleted: (sampleId: string) => boolean): Restatement[] {
    return [...this.#last.values()].filter(({ sampleId }) => !isDeleted(sampleId));
  }
}
