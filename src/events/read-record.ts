import type { z } from 'zod';
import { type Envelope, isObject, type Mutable, parseJson, readEnvelope } from './envelope.js';
import { EventError, type EventErrorCode } from './error.js';
import type { ContentEvent, DeletionEvent, Meta, Request, SampleEvent } from './event.js';
import { issueError } from './issue.js';
import { LIMITS, type LogRecord, recordTime } from './record.js';
import { readState } from './sample-state.js';
import {
  id,
  SUBJECT_PREFIX,
  sampleCorrected,
  sampleDeleted,
  sampleId,
  sampleIngested,
  subjectErased,
} from './schemas.js';
import { isTime } from './time.js';
import { traceOf } from './trace-context.js';

export type ReadResult =
  | { readonly ok: true; readonly event: SampleEvent }
  | {
      readonly ok: false;
      readonly error: { readonly code: EventErrorCode; readonly message: string };
      /** It asks for a deletion, and what is wrong with it keeps it from being applied. */
      readonly deletion: boolean;
    };

/** Reads a record of the sample-events topic. Never throws, whatever the record holds. */
export function readRecord(record: LogRecord): ReadResult {
  try {
    return { ok: true, event: readEvent(record) };
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const { code, message } = error;
    return { ok: false, error: { code, message }, deletion: asksForDeletion(record) };
  }
}

function readEvent(record: LogRecord): SampleEvent {
  const { value } = record;
  if (value === null) return readNull(record);
  if (value.byteLength > LIMITS.recordBytes) {
    throw new EventError('oversize', `value: expected at most ${LIMITS.recordBytes} bytes`);
  }
  const envelope = readEnvelope(record, value);
  const { eventId, source, time = timeOf(record), trace } = envelope;
  const meta = trace ? { eventId, source, time, trace } : { eventId, source, time };
  switch (envelope.type) {
    case 'legonet.sample.ingested.v1':
      return readContent(record, 'ingested', meta, parse(sampleIngested, envelope));
    case 'legonet.sample.corrected.v1':
      return readContent(record, 'corrected', meta, parse(sampleCorrected, envelope));
    // A deletion says in its data what to delete: it counts under any key.
    case 'legonet.sample.deleted.v1': {
      const { sampleId, ...request } = parse(sampleDeleted, envelope);
      return { ...meta, kind: 'deleted', sampleId, request: requestOf(meta, request) };
    }
    case 'legonet.subject.erased.v1': {
      const { subjectId, ...request } = parse(subjectErased, envelope);
      return { ...meta, kind: 'erased', subjectId, request: requestOf(meta, request) };
    }
    default:
      throw new EventError('unknown_type', 'type: expected a type of sample event');
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, { data }: Envelope): z.output<Schema> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw issueError(result.error, 'data.', 'invalid_data');
}

function readContent(
  record: LogRecord,
  kind: ContentEvent['kind'],
  meta: Meta,
  { sampleId, label, subjectId, encoding, input, salt }: z.output<typeof sampleIngested>,
): ContentEvent {
  const { key } = record;
  // Compaction erases by key: content under another key than its own could never be erased.
  if (key === null) throw new EventError('missing_key', 'key: expected data.sampleId, found none');
  if (key !== sampleId) throw new EventError('key_mismatch', 'key: expected data.sampleId');
  const remembered = readState(record);
  const { eventId, source, time, trace } = meta;
  // Assigned, not spread: a million samples are read in this way.
  const event: Mutable<ContentEvent> = { eventId, source, time, kind, sampleId, label };
  if (trace) event.trace = trace;
  if (remembered) event.remembered = remembered;
  if (subjectId !== undefined) event.subjectId = subjectId;
  if (encoding) event.encoding = encoding;
  if (input) event.input = input;
  if (salt) event.salt = salt;
  return event;
}

/** A null value asks that everything under its key be forgotten. */
function readNull(record: LogRecord): DeletionEvent {
  const { key, partition, position } = record;
  if (key === null) throw new EventError('missing_key', 'key: expected what to delete, found none');
  const eventId = `record-${partition}-${position}`;
  const { ce_traceparent, ce_tracestate } = record.headers;
  const trace = traceOf(record.headers, ce_traceparent, ce_tracestate);
  const event = {
    eventId,
    source: 'urn:legonet:log',
    time: timeOf(record),
    ...(trace && { trace }),
    request: { requestId: eventId },
  };
  if (sampleId.safeParse(key).success) return { ...event, kind: 'deleted', sampleId: key };
  const subjectId = key.slice(SUBJECT_PREFIX.length);
  if (key.startsWith(SUBJECT_PREFIX) && id.safeParse(subjectId).success) {
    return { ...event, kind: 'erased', subjectId };
  }
  throw new EventError('invalid_key', `key: expected a sample's id, or "${SUBJECT_PREFIX}" and id`);
}

function timeOf(record: LogRecord): bigint {
  const time = recordTime(record);
  if (isTime(time)) return time;
  throw new EventError('invalid_time', 'the record’s own time is not in the years 0 to 9999');
}

function requestOf(
  meta: Meta,
  { requestId, reason, requestedAt }: Omit<z.output<typeof sampleDeleted>, 'sampleId'>,
): Request {
  return {
    requestId: requestId ?? meta.eventId,
    ...(reason !== undefined && { reason }),
    ...(requestedAt !== undefined && { requestedAt }),
  };
}

/** Types of deletion, in this version of theirs or one to come. */
const DELETIONS = ['legonet.sample.deleted.', 'legonet.subject.erased.'];

/** Whether a record that cannot be read asks for a deletion: in doubt it does. */
function asksForDeletion({ key, value, headers }: LogRecord): boolean {
  if (value === null) return true;
  const types = [headers.ce_type, typeInJson(value)].filter((type) => type !== undefined);
  if (types.length > 0) return types.some((type) => DELETIONS.some((d) => type.startsWith(d)));
  // Nothing says what it is. Only erasures have such a key, and only deletions such a name in them.
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return key?.startsWith(SUBJECT_PREFIX) === true || DELETIONS.some((type) => bytes.includes(type));
}

function typeInJson(value: Uint8Array): string | undefined {
  try {
    const json = parseJson(value);
    return isObject(json) && typeof json.type === 'string' ? json.type : undefined;
  } catch (error) {
    if (error instanceof EventError) return undefined;
    throw error;
  }
}
