import { LegonetError } from '../errors.js';
import { compareVersions, type Version } from './version.js';

/** What one sample has come to, and no more of its past than later events may depend on. */
export type SampleState =
  | { readonly status: 'unknown' }
  | {
      readonly status: 'retained';
      /** The least ingest. */
      readonly ingest?: Version;
      /** The greatest correction. */
      readonly correction?: Version;
      /** Every subject that any content named, in force or not, to the earliest such event's time. */
      readonly subjects: ReadonlyMap<string, bigint>;
    }
  | { readonly status: 'deleted' };

type Retained = Extract<SampleState, { status: 'retained' }>;

const NOTHING_KNOWN: Retained = { status: 'retained', subjects: new Map() };

export const UNKNOWN_SAMPLE: SampleState = { status: 'unknown' };
const DELETED_SAMPLE: SampleState = { status: 'deleted' };

export type Role = 'ingest' | 'correction';

type Naming = { readonly version: Version; readonly subjectId?: string };

/** An event, as one sample sees it. Times are event times, microseconds since 1970. */
export type Fact =
  | ({ readonly kind: 'content'; readonly role: Role } & Naming)
  /** Content known from elsewhere named the subject at this time. */
  | { readonly kind: 'named'; readonly subjectId: string; readonly time: bigint }
  | { readonly kind: 'delete' }
  | { readonly kind: 'erase'; readonly subjectId: string; readonly until: bigint };

export type Decision =
  /** The sample's first content. */
  | ({ readonly kind: 'retain'; readonly role: Role } & Naming)
  /** Other content comes into force. */
  | ({ readonly kind: 'replace'; readonly role: Role } & Naming)
  /**
   * The content in force stays; what is remembered changes: the version in `role` if it is given,
   * the time at which the subject was first named.
   */
  | ({ readonly kind: 'keep'; readonly role?: Role } & Naming)
  /** An ingest with other content than the one that stands, for the dead letters. */
  | ({ readonly kind: 'conflict' } & Naming)
  /**
   * An ingest that is less than the one that stood, with other content: it stands now, and
   * `displaced` is the conflict. `replaces` tells whether it is in force, that is, not corrected.
   */
  | ({
      readonly kind: 'displace';
      readonly displaced: Version;
      readonly replaces: boolean;
    } & Naming)
  /** Only the time at which the subject was first named changes. */
  | { readonly kind: 'name'; readonly subjectId: string; readonly time: bigint }
  | { readonly kind: 'delete' }
  /** Content that its subject's erasure reached before it arrived: its sample is gone for ever. */
  | { readonly kind: 'discard' }
  /** Nothing changes. */
  | { readonly kind: 'ignore' };

/**
 * What an event does to a sample. The rule (design, section 4) reads the set of a sample's events;
 * folding `decide` and `evolve` over them gives its answer in any order and with any repetition.
 * `erasedUntil` knows every erasure that came before `fact`, to the latest event time of each subject.
 */
export function decide(
  state: SampleState,
  fact: Fact,
  erasedUntil: (subjectId: string) => bigint | undefined,
): Decision {
  if (state.status === 'deleted') return { kind: 'ignore' };
  switch (fact.kind) {
    case 'delete':
      return { kind: 'delete' };
    case 'erase':
      return names(state, fact.subjectId, fact.until) ? { kind: 'delete' } : { kind: 'ignore' };
    case 'named': {
      const { subjectId, time } = fact;
      if ((erasedUntil(subjectId) ?? time - 1n) >= time) return { kind: 'discard' };
      if (names(state, subjectId, time) || state.status === 'unknown') return { kind: 'ignore' };
      return { kind: 'name', subjectId, time };
    }
    case 'content': {
      const { role, version, subjectId } = fact;
      const until = subjectId === undefined ? undefined : erasedUntil(subjectId);
      // Content that would not be in force erases its sample as well: the rule says "any".
      if (until !== undefined && until >= version.time) return { kind: 'discard' };
      const naming: Naming = { version, ...(subjectId !== undefined && { subjectId }) };
      if (state.status === 'unknown') return { kind: 'retain', role, ...naming };
      return role === 'ingest' ? decideIngest(state, naming) : decideCorrection(state, naming);
    }
  }
}

function decideIngest(state: Retained, naming: Naming): Decision {
  const { ingest, correction } = state;
  if (!ingest) return { kind: 'keep', role: 'ingest', ...naming };
  const order = compareVersions(naming.version, ingest);
  if (naming.version.digest === ingest.digest) {
    return order < 0 ? { kind: 'keep', role: 'ingest', ...naming } : remember(state, naming);
  }
  if (order > 0) return { kind: 'conflict', ...naming };
  return { kind: 'displace', displaced: ingest, replaces: correction === undefined, ...naming };
}

function decideCorrection(state: Retained, naming: Naming): Decision {
  const { correction } = state;
  if (correction && compareVersions(naming.version, correction) <= 0) {
    return remember(state, naming);
  }
  const same = contentInForce(state)?.digest === naming.version.digest;
  return { kind: same ? 'keep' : 'replace', role: 'correction', ...naming };
}

/** Content that changes nothing may yet name a subject, or name it earlier. */
function remember(state: Retained, naming: Naming): Decision {
  const { version, subjectId } = naming;
  const known = subjectId === undefined || names(state, subjectId, version.time);
  return known ? { kind: 'ignore' } : { kind: 'keep', ...naming };
}

function names(state: SampleState, subjectId: string, until: bigint): boolean {
  const first = state.status === 'retained' ? state.subjects.get(subjectId) : undefined;
  return first !== undefined && first <= until;
}

/** The state after a decision. Throws `impossible_decision` for one that `decide` cannot give. */
export function evolve(state: SampleState, decision: Decision): SampleState {
  switch (decision.kind) {
    case 'ignore':
      return state;
    case 'delete':
    case 'discard':
      return DELETED_SAMPLE;
    case 'retain':
      return withContent(NOTHING_KNOWN, decision, decision.role);
    case 'replace':
    case 'keep':
      return withContent(retained(state, decision), decision, decision.role);
    case 'conflict':
      return withContent(retained(state, decision), decision, undefined);
    case 'displace':
      return withContent(retained(state, decision), decision, 'ingest');
    case 'name':
      return withName(retained(state, decision), decision.subjectId, decision.time);
  }
}

function retained(state: SampleState, { kind }: Decision): Retained {
  if (state.status === 'retained') return state;
  throw new LegonetError('impossible_decision', `a sample ${state.status} cannot ${kind}`, 'stop');
}

function withContent(state: Retained, naming: Naming, role: Role | undefined): Retained {
  const { version, subjectId } = naming;
  let versioned = state;
  if (role === 'ingest') versioned = { ...state, ingest: version };
  else if (role === 'correction') versioned = { ...state, correction: version };
  return subjectId === undefined ? versioned : withName(versioned, subjectId, version.time);
}

function withName(state: Retained, subjectId: string, time: bigint): Retained {
  if (names(state, subjectId, time)) return state;
  return { ...state, subjects: new Map(state.subjects).set(subjectId, time) };
}

/** The state after facts that come one after the other, where nothing was known and nothing is erased. */
export function stateOf(facts: readonly Fact[]): SampleState {
  return facts.reduce(
    (state: SampleState, fact) =>
      evolve(
        state,
        decide(state, fact, () => undefined),
      ),
    UNKNOWN_SAMPLE,
  );
}

/** Whether two states can never be told apart by what comes after. */
export function sameState(a: SampleState, b: SampleState): boolean {
  if (a.status !== 'retained' || b.status !== 'retained') return a.status === b.status;
  return (
    sameVersion(a.ingest, b.ingest) &&
    sameVersion(a.correction, b.correction) &&
    a.subjects.size === b.subjects.size &&
    [...a.subjects].every(([subject, time]) => b.subjects.get(subject) === time)
  );
}

const sameVersion = (a: Version | undefined, b: Version | undefined): boolean =>
  a && b ? compareVersions(a, b) === 0 : a === b;

/** The version that a retained sample's content comes from. */
export function contentInForce(state: SampleState): Version | undefined {
  return state.status === 'retained' ? (state.correction ?? state.ingest) : undefined;
}
