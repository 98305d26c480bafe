import { describe, expect, it } from 'vitest';
import {
  contentInForce,
  type Decision,
  decide,
  evolve,
  type Fact,
  type Role,
  type SampleState,
  UNKNOWN_SAMPLE,
} from '#src/events/retention.js';
import type { Version } from '#src/events/version.js';

const version = (time: number, digest: string, eventId = `event-${time}`): Version => ({
  time: BigInt(time),
  eventId,
  source: 'test',
  digest,
});

const content = (role: Role, of: Version, subjectId?: string): Fact => ({
  kind: 'content',
  role,
  version: of,
  ...(subjectId !== undefined && { subjectId }),
});
const ingest = (of: Version, subjectId?: string) => content('ingest', of, subjectId);
const correction = (of: Version, subjectId?: string) => content('correction', of, subjectId);
const erase = (subjectId: string, until: number): Fact => ({
  kind: 'erase',
  subjectId,
  until: BigInt(until),
});
const DELETE: Fact = { kind: 'delete' };

/** The sample after `facts`, then the decision on one more, then what the sample is. */
function given(...facts: Fact[]) {
  const erasedUntil = new Map<string, bigint>();
  const decideOn = (state: SampleState, fact: Fact): Decision => {
    const decision = decide(state, fact, (subject) => erasedUntil.get(subject));
    if (fact.kind === 'erase') erasedUntil.set(fact.subjectId, fact.until);
    return decision;
  };
  const before = facts.reduce(
    (state, fact) => evolve(state, decideOn(state, fact)),
    UNKNOWN_SAMPLE as SampleState,
  );
  return {
    when(fact: Fact) {
      const decision = decideOn(before, fact);
      const after = evolve(before, decision);
      return {
        thenDecides(expected: Decision) {
          expect(decision).toEqual(expected);
          return {
            inForce: (digest: string) => expect(contentInForce(after)?.digest).toBe(digest),
            deleted: () => expect(after).toEqual({ status: 'deleted' }),
            unchanged: () => expect(after).toBe(before),
            state: (state: SampleState) => expect(after).toEqual(state),
          };
        },
      };
    },
  };
}

const A1 = version(1, 'aa');
const A2 = version(2, 'aa');
const B2 = version(2, 'bb');
const B3 = version(3, 'bb');
const C4 = version(4, 'cc');

describe('an ingest', () => {
  it('of an unknown sample is retained', () => {
    given()
      .when(ingest(A1))
      .thenDecides({ kind: 'retain', role: 'ingest', version: A1 })
      .inForce('aa');
  });

  it('that comes twice is one event', () => {
    given(ingest(A1, 's')).when(ingest(A1, 's')).thenDecides({ kind: 'ignore' }).unchanged();
  });

  it('with the same content under another event id is nothing new', () => {
    given(ingest(A1)).when(ingest(A2)).thenDecides({ kind: 'ignore' }).unchanged();
  });

  it('with the same content at a lesser time is the one that stands', () => {
    given(ingest(A2))
      .when(ingest(A1))
      .thenDecides({ kind: 'keep', role: 'ingest', version: A1 })
      .state({ status: 'retained', ingest: A1, subjects: new Map() });
  });

  it('with other content, later, is a conflict', () => {
    given(ingest(A1)).when(ingest(B2)).thenDecides({ kind: 'conflict', version: B2 }).unchanged();
  });

  it('with other content, lesser, displaces the one that stood', () => {
    given(ingest(B2))
      .when(ingest(A1))
      .thenDecides({ kind: 'displace', displaced: B2, version: A1, replaces: true })
      .inForce('aa');
  });

  it('with other content, lesser, displaces under a correction without coming into force', () => {
    given(ingest(B2), correction(C4))
      .when(ingest(A1))
      .thenDecides({ kind: 'displace', displaced: B2, version: A1, replaces: false })
      .inForce('cc');
  });

  it('with other content is a conflict under a correction too, even with the correction’s own', () => {
    given(ingest(A1), correction(C4))
      .when(ingest(version(5, 'cc')))
      .thenDecides({ kind: 'conflict', version: version(5, 'cc') })
      .inForce('cc');
  });

  it('that comes after the correction of its sample stands under it', () => {
    given(correction(B3))
      .when(ingest(A1))
      .thenDecides({ kind: 'keep', role: 'ingest', version: A1 })
      .state({ status: 'retained', ingest: A1, correction: B3, subjects: new Map() });
  });
});

describe('a correction', () => {
  it('of an unknown sample is retained', () => {
    given().when(correction(B2)).thenDecides({ kind: 'retain', role: 'correction', version: B2 });
  });

  it('takes the place of the ingest, even of a later one', () => {
    given(ingest(B3))
      .when(correction(A1))
      .thenDecides({ kind: 'replace', role: 'correction', version: A1 })
      .inForce('aa');
  });

  it('takes the place of a lesser correction', () => {
    given(correction(A1))
      .when(correction(B2))
      .thenDecides({ kind: 'replace', role: 'correction', version: B2 })
      .inForce('bb');
  });

  it('that comes twice is one event', () => {
    given(correction(B2)).when(correction(B2)).thenDecides({ kind: 'ignore' }).unchanged();
  });

  it('that is less than the one in force changes nothing', () => {
    given(correction(B2)).when(correction(A1)).thenDecides({ kind: 'ignore' }).unchanged();
  });

  it('with the content in force is remembered, and the content stays where it is', () => {
    given(ingest(A1))
      .when(correction(A2))
      .thenDecides({ kind: 'keep', role: 'correction', version: A2 })
      .state({ status: 'retained', ingest: A1, correction: A2, subjects: new Map() });
  });

  it('at the same time as another is ordered by event id', () => {
    const first = version(1, 'bb', 'a');
    const second = version(1, 'aa', 'b');
    given(correction(second)).when(correction(first)).thenDecides({ kind: 'ignore' }).inForce('aa');
  });
});

describe('a deletion', () => {
  it('deletes what is retained', () => {
    given(ingest(A1)).when(DELETE).thenDecides({ kind: 'delete' }).deleted();
  });

  it('that comes before its sample deletes it all the same', () => {
    given().when(DELETE).thenDecides({ kind: 'delete' }).deleted();
    given(DELETE).when(ingest(A1)).thenDecides({ kind: 'ignore' }).deleted();
    given(DELETE).when(correction(B2)).thenDecides({ kind: 'ignore' }).deleted();
  });

  it('that is repeated changes nothing', () => {
    given(DELETE).when(DELETE).thenDecides({ kind: 'ignore' }).unchanged();
    given(DELETE).when(erase('s', 9)).thenDecides({ kind: 'ignore' }).unchanged();
  });
});

describe('the erasure of a subject', () => {
  it('deletes content of the same event time', () => {
    given(ingest(A1, 's')).when(erase('s', 1)).thenDecides({ kind: 'delete' }).deleted();
  });

  it('leaves content of a later event time, and of other subjects', () => {
    given(ingest(B2, 's')).when(erase('s', 1)).thenDecides({ kind: 'ignore' }).inForce('bb');
    given(ingest(A1, 'other')).when(erase('s', 9)).thenDecides({ kind: 'ignore' }).inForce('aa');
    given().when(erase('s', 9)).thenDecides({ kind: 'ignore' }).state(UNKNOWN_SAMPLE);
  });

  it('reaches content that arrives after it', () => {
    given(erase('s', 1)).when(ingest(A1, 's')).thenDecides({ kind: 'discard' }).deleted();
    given(erase('s', 1)).when(ingest(A2, 's')).thenDecides({
      kind: 'retain',
      role: 'ingest',
      version: A2,
      subjectId: 's',
    });
  });

  it('reaches a retained sample through content that would not come into force', () => {
    given(ingest(A1), erase('s', 5))
      .when(ingest(B2, 's'))
      .thenDecides({ kind: 'discard' })
      .deleted();
    given(correction(B3), erase('s', 5))
      .when(correction(A1, 's'))
      .thenDecides({ kind: 'discard' })
      .deleted();
  });

  it.each([
    ['a conflict', ingest(A1), ingest(B2, 's')],
    ['a repetition', ingest(A1), ingest(A2, 's')],
    ['an older correction', correction(B3), correction(A1, 's')],
    ['an ingest under a correction', correction(B3), ingest(A1, 's')],
    ['a displaced ingest', ingest(B2, 's'), ingest(A1)],
    ['a corrected ingest', ingest(A1, 's'), correction(B2)],
  ])('deletes a sample of which only %s named the subject', (_, first, second) => {
    given(first, second).when(erase('s', 2)).thenDecides({ kind: 'delete' }).deleted();
  });

  it('counts from the earliest time at which content named the subject', () => {
    given(ingest(A2, 's'), ingest(A1, 's')).when(erase('s', 1)).thenDecides({ kind: 'delete' });
    given(correction(C4, 's'), correction(A1, 's'))
      .when(erase('s', 1))
      .thenDecides({ kind: 'delete' });
  });
});

it('a decision that cannot be is an error, not a state', () => {
  expect(() => evolve(UNKNOWN_SAMPLE, { kind: 'conflict', version: A1 })).toThrow(
    expect.objectContaining({ code: 'impossible_decision', retry: 'stop' }),
  );
});
