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

export const UNKNOWN_SAMPLE: SampleState = { status: 'unknown' };
const DELETED_SAMPLE: SampleState = { status: 'deleted' };

export type Role = 'ingest' | 'correction';

type Naming = { readonly version: Version; readonly subjectId?: string };

/** An event, as one sample sees it. Times are event times, microseconds since 1970. */
export type Fact =
  | ({ readonly kind: 'content'; readonly role: Role } & Naming)
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
      return withContent({ status: 'retained', subjects: new Map() }, decision, decision.role);
    case 'replace':
    case 'keep':
      return withContent(retained(state, decision), decision, decision.role);
    case 'conflict':
      return withContent(retained(state, decision), decision, undefined);
    case 'displace':
      return withContent(retained(state, decision), decision, 'ingest');
  }
}

function retained(state: SampleState, { kind }: Decision): Retained {
  if (state.status === 'retained') return state;
  throw new LegonetError('impossible_decision', `a sample ${state.status} cannot ${kind}`, 'stop');
}

function withContent(state: Retained, naming: Naming, role: Role | undefined): Retained {
  const { version, subjectId } = naming;
  const versioned = role === undefined ? state : { ...state, [role]: version };
  if (subjectId === undefined || names(state, subjectId, version.time)) return versioned;
  return { ...versioned, subjects: new Map(state.subjects).set(subjectId, version.time) };
}

/** The version that a retained sample's content comes from. */
export function contentInForce(state: SampleState): Version | undefined {
  return state.status === 'retained' ? (state.correction ?? state.ingest) : undefined;
}
