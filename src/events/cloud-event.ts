import { z } from 'zod';
import { issueError } from './issue.js';
import { type DataOf, EVENT_TYPES, type EventType, id, SUBJECT_PREFIX, time } from './schemas.js';
import { readTrace, type TraceContext } from './trace-context.js';

export { float32Data, int8Data } from './encoding.js';

/** A CloudEvent in its JSON format, as it is written. */
export type CloudEvent<Type extends EventType = EventType> = {
  readonly [T in Type]: {
    readonly specversion: '1.0';
    readonly id: string;
    readonly source: string;
    readonly type: T;
    /** RFC 3339. */
    readonly time?: string;
    /** W3C Trace Context, by the extension Distributed Tracing. */
    readonly traceparent?: string;
    readonly tracestate?: string;
    readonly datacontenttype: 'application/json';
    readonly data: DataOf<T>;
  };
}[Type];

/** The same id from the same source is the same event. */
export type MetaInput = {
  readonly id: string;
  readonly source: string;
  /** When it happened, RFC 3339. Without it, the time at which the log takes it in. */
  readonly time?: string;
  /** The trace that it belongs to; left out if it is not valid. */
  readonly trace?: TraceContext;
};

/** The content type of `encodeEvent`'s bytes: a record's `content-type` header. */
export const EVENT_CONTENT_TYPE = 'application/cloudevents+json; charset=UTF-8';

const metaInput = z.object({ id, source: id, time: time.optional() });

/** Throws `EventError` (`invalid_data`, `not_finite`, `invalid_time`) for what a reader would reject. */
export function cloudEvent<Type extends EventType>(
  type: Type,
  data: DataOf<Type>,
  meta: MetaInput,
): CloudEvent<Type> {
  const checkedMeta = metaInput.safeParse(meta);
  if (!checkedMeta.success) throw issueError(checkedMeta.error, '', 'invalid_data');
  const checkedData = EVENT_TYPES[type].safeParse(data);
  if (!checkedData.success) throw issueError(checkedData.error, 'data.', 'invalid_data');
  const { id, source, time } = meta;
  const trace = meta.trace && readTrace(meta.trace.traceparent, meta.trace.tracestate);
  const own = { specversion: '1.0', id, source, type } as const;
  // Most events have neither, and a spread is slow.
  const more =
    time === undefined && !trace ? own : { ...own, ...(time !== undefined && { time }), ...trace };
  return Object.assign(more, { datacontenttype: 'application/json', data }) as CloudEvent<Type>;
}

type Writer<Type extends EventType> = (data: DataOf<Type>, meta: MetaInput) => CloudEvent<Type>;

const writer =
  <Type extends EventType>(type: Type): Writer<Type> =>
  (data, meta) =>
    cloudEvent(type, data, meta);

export const sampleIngested = writer('legonet.sample.ingested.v1');
export const sampleCorrected = writer('legonet.sample.corrected.v1');
export const sampleDeleted = writer('legonet.sample.deleted.v1');
export const subjectErased = writer('legonet.subject.erased.v1');
export const versionPublished = writer('legonet.model.version.published.v1');
export const versionRetired = writer('legonet.model.version.retired.v1');
export const recordRejected = writer('legonet.record.rejected.v1');

export function subjectKey(subjectId: string): string {
  return `${SUBJECT_PREFIX}${subjectId}`;
}

/** The key of the event's record in its topic. */
export function recordKey(event: CloudEvent): string {
  const { data } = event;
  if ('sampleId' in data) return data.sampleId;
  if ('code' in data) return data.id;
  return 'subjectId' in data ? subjectKey(data.subjectId) : `${data.model}:${data.version}`;
}

/** The event as a record's value, in structured mode: JSON in UTF-8. */
export function encodeEvent(event: CloudEvent): Uint8Array {
  return Buffer.from(JSON.stringify(event), 'utf8');
}
