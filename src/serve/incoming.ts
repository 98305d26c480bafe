import type { IncomingHttpHeaders } from 'node:http';
import { EVENT_CONTENT_TYPE, subjectKey } from '../events/cloud-event.js';
import { isObject, parseJson, readEnvelope } from '../events/envelope.js';
import { EventError } from '../events/error.js';
import { readTrace } from '../events/trace-context.js';
import { HttpError } from './problem.js';

/** An event on its way to the log: the value is as yet only claimed to be one. */
export type Incoming = {
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

type Headers = IncomingHttpHeaders;

/** Events of a batch. */
export const BATCH = 10_000;
const STRUCTURED = { 'content-type': EVENT_CONTENT_TYPE };

/**
 * The events of a request, by CloudEvents' binding to HTTP: structured, a batch, or binary with ce-
 * headers. Throws `unsupported_media_type`, `batch_too_large`, `invalid_events` where it is no batch.
 */
export function readEvents(headers: Headers, body: Uint8Array): readonly Incoming[] {
  const trace = readTrace(only(headers.traceparent), only(headers.tracestate));
  const events = unwrap(headers, body);
  // As the records' own: an event that names a trace stays in that one.
  return trace ? events.map((event) => withHeaders(event, trace)) : events;
}

/** A header that is there more than once comes joined, save those that may be; none of ours. */
const only = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.join(', ');

function withHeaders(event: Incoming, headers: Incoming['headers']): Incoming {
  return { ...event, headers: { ...event.headers, ...headers } };
}

function unwrap(headers: Headers, body: Uint8Array): readonly Incoming[] {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/cloudevents+json') return [structured(body)];
  if (type === 'application/cloudevents-batch+json') return batch(body);
  const attributes = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith('ce-') ? [[name, only(value)] as const] : [],
  );
  if (attributes.length > 0 && !type?.startsWith('application/cloudevents')) {
    return [binary(attributes, headers['content-type'], body)];
  }
  throw new HttpError(
    'unsupported_media_type',
    415,
    'content-type: expected application/cloudevents+json, application/cloudevents-batch+json, or ce- headers',
  );
}

function structured(value: Uint8Array): Incoming {
  return { key: keyOf(STRUCTURED, value), value, headers: STRUCTURED };
}

function batch(body: Uint8Array): readonly Incoming[] {
  const events = readBatch(body);
  if (events.length > BATCH) {
    throw new HttpError('batch_too_large', 413, `expected at most ${BATCH} events in a batch`);
  }
  return events.map((event) => structured(Buffer.from(JSON.stringify(event), 'utf8')));
}

function readBatch(body: Uint8Array): readonly unknown[] {
  try {
    const json = parseJson(body);
    if (Array.isArray(json)) return json;
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
  }
  throw new HttpError('invalid_events', 400, 'body: expected a JSON array of events');
}

/** The attributes become the headers that Kafka's binary mode has. */
function binary(
  attributes: readonly (readonly [string, string | undefined])[],
  contentType: string | undefined,
  value: Uint8Array,
): Incoming {
  const headers = Object.fromEntries([
    ...attributes.map(([name, text = '']) => [`ce_${name.slice(3)}`, decodeHeader(text)]),
    ...(contentType === undefined ? [] : [['content-type', contentType]]),
  ]);
  return { key: keyOf(headers, value), value, headers };
}

/** Percent-decoded, as the binding has it; what is not encoded so stays as it is. */
function decodeHeader(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The record's key, from what the event says it is about; null where it does not say. */
function keyOf(headers: Incoming['headers'], value: Uint8Array): string | null {
  try {
    const { data } = readEnvelope(
      { headers, value, key: null, partition: 0, position: 0n, time: 0n },
      value,
    );
    if (!isObject(data)) return null;
    if (typeof data.sampleId === 'string') return data.sampleId;
    return typeof data.subjectId === 'string' ? subjectKey(data.subjectId) : null;
  } catch (error) {
    // What is wrong with it is told when it is read.
    if (error instanceof EventError) return null;
    throw error;
  }
}
