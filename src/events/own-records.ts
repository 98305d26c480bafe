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
import type { ContentEvent } from './event.js';
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
type OwnKind = 'deletion' | 'state' | 'encoded' | 'roll';
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

/** How an encoding came of a raw input: by which encoder, and the digest of the content that it is. */
export type Origin = { readonly encoder: string; readonly digest: string };

/** An event that brought a raw input, as if it had brought the encoding; in a header, what that came of. */
export function encodedRecord(
  event: ContentEvent,
  encoding: Int8Array,
  { encoder, digest }: Origin,
): OwnRecord {
  const { kind, sampleId, label, subjectId, salt, eventId, source, time, trace } = event;
  const meta = { id: eventId, source, time: formatTime(time), ...(trace && { trace }) };
  const data = {
    sampleId,
    label,
    ...(subjectId !== undefined && { subjectId }),
    ...(salt && { salt: Buffer.from(salt).toString('base64') }),
    encoding: int8Data(encoding),
  };
  const isIngest = kind === 'ingested';
  const written = isIngest ? sampleIngested(data, meta) : sampleCorrected(data, meta);
  const version = { time, eventId, source, digest };
  const role = isIngest ? { ingest: version } : { correction: version };
  const { headers, ...record } = own('encoded', sampleId, encodeEvent(written));
  const state = stateHeader({ ...role, subjects: new Map(), encoder });
  return { ...record, headers: { ...headers, ...state } };
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
