import { z } from 'zod';
import { decodeBase64 } from './encoding.js';
import { EventError } from './error.js';
import { issueError } from './issue.js';
import type { LogRecord } from './record.js';
import { id, time } from './schemas.js';
import { type TraceContext, traceOf } from './trace-context.js';

/** A CloudEvent whose attributes are checked and whose data are not. */
export type Envelope = {
  readonly type: string;
  readonly eventId: string;
  readonly source: string;
  /** Microseconds since 1970. */
  readonly time?: bigint;
  readonly trace?: TraceContext;
  readonly data: unknown;
};

/** The attributes that are read, besides those of a trace. Other extension attributes are passed over. */
const attributes = z.object({ type: z.string(), id, source: id, time: time.optional() });

/**
 * Unwraps a record's value from Kafka's binary or structured mode. Throws `EventError`:
 * `content_mode`, `not_json`, `not_cloudevent`, `unsupported_specversion`, `invalid_time`.
 */
export function readEnvelope({ headers }: LogRecord, value: Uint8Array): Envelope {
  const contentType = mediaType(headers['content-type']);
  if (contentType?.startsWith('application/cloudevents')) {
    if (contentType === 'application/cloudevents+json')
      return structured(headers, parseJson(value));
    throw new EventError(
      'content_mode',
      'content-type: expected application/cloudevents+json, one event to a record',
    );
  }
  if (Object.keys(headers).some((name) => name.startsWith('ce_'))) {
    return binary(headers, contentType, value);
  }
  return structured(headers, parseJson(value));
}

function binary(
  headers: LogRecord['headers'],
  contentType: string | undefined,
  value: Uint8Array,
): Envelope {
  checkVersion('ce_specversion', headers.ce_specversion);
  const { ce_type: type, ce_id, ce_source: source, ce_time } = headers;
  const trace = traceOf(headers, headers.ce_traceparent, headers.ce_tracestate);
  const known = parseAttributes({ type, id: ce_id, source, time: ce_time }, 'ce_');
  checkJsonType('content-type', contentType);
  if (trace) known.trace = trace;
  known.data = parseJson(value);
  return known;
}

function structured(headers: LogRecord['headers'], json: unknown): Envelope {
  if (!isObject(json)) {
    throw new EventError('not_cloudevent', 'expected ce_ headers or a JSON object');
  }
  checkVersion('specversion', json.specversion);
  const { type, id, source, time, datacontenttype, data_base64: encoded } = json;
  const trace = traceOf(headers, json.traceparent, json.tracestate);
  // JSON's null is an attribute left out.
  const known = parseAttributes({ type, id, source, time: time ?? undefined }, '');
  if (trace) known.trace = trace;
  checkJsonType(
    'datacontenttype',
    typeof datacontenttype === 'string' ? mediaType(datacontenttype) : undefined,
  );
  if (encoded === undefined || encoded === null) {
    known.data = json.data;
    return known;
  }
  const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
  if (!bytes) throw new EventError('not_cloudevent', 'data_base64: expected base64');
  known.data = parseJson(bytes);
  return known;
}

/** An envelope to be filled: a million are read, and each spread would copy it. */
function parseAttributes(values: Record<string, unknown>, prefix: string): Mutable<Envelope> {
  const result = attributes.safeParse(values);
  if (!result.success) throw issueError(result.error, prefix, 'not_cloudevent');
  const { type, id: eventId, source, time } = result.data;
  const known: Mutable<Envelope> = { type, eventId, source, data: undefined };
  if (time !== undefined) known.time = time;
  return known;
}

export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function checkVersion(name: string, version: unknown): void {
  if (version === undefined) throw new EventError('not_cloudevent', `${name} is missing`);
  if (version !== '1.0') {
    throw new EventError('unsupported_specversion', `${name}: expected "1.0"`);
  }
}

function checkJsonType(name: string, type: string | undefined): void {
  if (type === undefined || type === 'application/json' || type === 'text/json') return;
  if (!type.endsWith('+json')) throw new EventError('content_mode', `${name}: expected JSON`);
}

/** The media type alone, without parameters. */
function mediaType(contentType: string | undefined): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase();
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws `not_json`. */
export function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(value));
  } catch {
    // The parser's own message quotes its input.
    throw new EventError('not_json', 'expected JSON in UTF-8');
  }
}

export function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
