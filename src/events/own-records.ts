import { createHash } from 'node:crypto';
import { LegonetError } from '../errors.js';
import {
  EVENT_CONTENT_TYPE,
  encodeEvent,
  int8Data,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
  subjectKey,
} from './cloud-event.js';
import type { LogRecord } from './record.js';
import { type Remembered, stateHeader } from './sample-state.js';
import { SUBJECT_PREFIX } from './schemas.js';
import { formatTime } from './time.js';

/*
 * Records that Legonet itself puts into the sample-events topic. They are events like others, to
 * everybody who reads the topic, and marked by a header.
 */

/** Says that a record is one of ours, and of which kind. */
export const OWN_HEADER = 'legonet_record';
type OwnKind = 'deletion' | 'state' | 'roll';
const SOURCE = 'urn:legonet:log';

type OwnRecord = {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

const own = (kind: OwnKind, key: string, value: Uint8Array): OwnRecord => ({
  key,
  value,
  headers: { 'content-type': EVENT_CONTENT_TYPE, [OWN_HEADER]: kind },
});

/** An id that follows from what the event says, however long that is. */
export const eventId = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** That a sample is deleted: no more than its id and the request's. Stays when the rest is erased. */
export function deletionRecord(sampleId: string, requestId: string): OwnRecord {
  const meta = { id: eventId('deletion', sampleId), source: SOURCE };
  return own('deletion', sampleId, encodeEvent(sampleDeleted({ sampleId, requestId }, meta)));
}

/** That a subject is erased, up to an event time in microseconds since 1970. */
export function erasureRecord(subjectId: string, until: bigint, requestId: string): OwnRecord {
  const time = formatTime(until);
  const meta = { id: eventId('erasure', subjectId, time), source: SOURCE, time };
  const event = subjectErased({ subjectId, requestId }, meta);
  return own('deletion', subjectKey(subjectId), encodeEvent(event));
}

/** Content in force, as its own event wrote it, and with it all that is remembered of the sample. */
export function stateRecord(
  sampleId: string,
  label: string,
  encoding: Int8Array,
  state: Remembered,
): OwnRecord {
  const { ingest, correction } = state;
  const version = correction ?? ingest;
  if (!version) throw new LegonetError('impossible_decision', 'a sample without content', 'stop');
  const meta = { id: version.eventId, source: version.source, time: formatTime(version.time) };
  const data = { sampleId, label, encoding: int8Data(encoding) };
  const event = correction ? sampleCorrected(data, meta) : sampleIngested(data, meta);
  const { headers, ...record } = own('state', sampleId, encodeEvent(event));
  return { ...record, headers: { ...headers, ...stateHeader(state) } };
}

/** The key of roll records: a sample's id does not begin so, and a subject's is longer. */
const ROLL_KEY = SUBJECT_PREFIX;

/** Says nothing: appended so that a log begins a new segment and can clean the one before. */
export function rollRecord(): OwnRecord {
  const event = { specversion: '1.0', id: 'roll', source: SOURCE, type: 'legonet.log.rolled.v1' };
  return own('roll', ROLL_KEY, Buffer.from(JSON.stringify(event), 'utf8'));
}

export function isRoll({ key, headers }: LogRecord): boolean {
  return key === ROLL_KEY && headers[OWN_HEADER] === 'roll';
}

export function isOwnDeletion({ headers }: LogRecord): boolean {
  return headers[OWN_HEADER] === 'deletion';
}
