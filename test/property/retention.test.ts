import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DigestedEvent, retainedSet } from '#src/events/retained-set.js';
import {
  contentInForce,
  decide,
  evolve,
  type SampleState,
  UNKNOWN_SAMPLE,
} from '#src/events/retention.js';

// Small alphabets on purpose: equal times, ids and contents are where the rule is decided.
const sampleId = fc.constantFrom('x', 'y');
const subjectId = fc.constantFrom('p', 'q');
const time = fc.bigInt({ min: 1n, max: 4n });

const contentEvent = fc.record(
  {
    kind: fc.constantFrom('ingested' as const, 'corrected' as const),
    sampleId,
    time,
    eventId: fc.constantFrom('1', '2', '\u{1F600}', '\uFF5E'),
    source: fc.constantFrom('a', 'b'),
    digest: fc.constantFrom('aa', 'bb', 'cc'),
    subjectId,
  },
  { requiredKeys: ['kind', 'sampleId', 'time', 'eventId', 'source', 'digest'] },
);
const deletion = fc.record({ kind: fc.constant('deleted' as const), sampleId });
const erasure = fc.record({ kind: fc.constant('erased' as const), subjectId, time });

const event: fc.Arbitrary<DigestedEvent> = fc.oneof(
  { arbitrary: contentEvent, weight: 12 },
  { arbitrary: erasure, weight: 2 },
  { arbitrary: deletion, weight: 1 },
);

/** A set of events, and a delivery of it in any order, some of them twice. */
const deliveries = fc.array(event, { maxLength: 9 }).chain((events) => {
  const delivery = fc
    .subarray(events)
    .chain((again) =>
      fc.shuffledSubarray([...events, ...again], { minLength: events.length + again.length }),
    );
  return fc.record({ events: fc.constant(events), delivery });
});

it('any order and repetition of a set of events comes to the retained set of the rule', () => {
  fc.assert(
    fc.property(deliveries, ({ events, delivery }) => {
      expect(project(delivery)).toEqual(project(delivery, true));
      expect(project(delivery)).toEqual(retainedSet(events));
    }),
    { numRuns: 5000 },
  );
});

/** Folds the decider over a delivery as the projection does: one event at a time. */
function project(delivery: readonly DigestedEvent[], twice = false) {
  const states = new Map<string, SampleState>();
  const conflicts = new Map<string, Set<string>>();
  const erasedUntil = new Map<string, bigint>();

  const apply = (sample: string, fact: Parameters<typeof decide>[1]) => {
    const state = states.get(sample) ?? UNKNOWN_SAMPLE;
    const decision = decide(state, fact, (subject) => erasedUntil.get(subject));
    const letters = conflicts.get(sample) ?? new Set<string>();
    if (decision.kind === 'conflict') letters.add(decision.version.digest);
    if (decision.kind === 'displace') {
      letters.add(decision.displaced.digest);
      letters.delete(decision.version.digest);
    }
    const after = evolve(state, decision);
    const before = contentInForce(state)?.digest;
    const inForce = contentInForce(after)?.digest;
    const changes =
      decision.kind === 'retain' ||
      decision.kind === 'replace' ||
      (decision.kind === 'displace' && decision.replaces);
    // What the projection rebuilds adapters by: told exactly when the content in force is another.
    if (after.status === 'retained') expect(changes).toBe(before !== inForce);
    states.set(sample, after);
    if (after.status === 'deleted') conflicts.delete(sample);
    else conflicts.set(sample, letters);
  };

  for (const e of twice ? delivery.flatMap((one) => [one, one]) : delivery) {
    if (e.kind === 'deleted') apply(e.sampleId, { kind: 'delete' });
    else if (e.kind === 'erased') {
      const known = erasedUntil.get(e.subjectId);
      if (known === undefined || known < e.time) erasedUntil.set(e.subjectId, e.time);
      for (const sample of [...states.keys()]) {
        apply(sample, { kind: 'erase', subjectId: e.subjectId, until: e.time });
      }
    } else {
      const { sampleId, subjectId, kind, ...version } = e;
      const role = kind === 'ingested' ? 'ingest' : 'correction';
      apply(sampleId, { kind: 'content', role, version, ...(subjectId && { subjectId }) });
    }
  }
  const retained = [...states].flatMap(([sample, state]) => {
    const digest = contentInForce(state)?.digest;
    return digest === undefined ? [] : [[sample, digest] as const];
  });
  const letters = [...conflicts].filter(([, digests]) => digests.size > 0);
  return { retained: new Map(retained), conflicts: new Map(letters) };
}
