import type { LogRecord } from './record.js';

/** Where a trace goes on, by W3C Trace Context. It says nothing of what an event is about. */
export type TraceContext = {
  /** In version 00: 55 characters. */
  readonly traceparent: string;
  /** As it came, at most 512 characters: whoever uses it drops what in it is not valid. */
  readonly tracestate?: string;
};

/** Later versions may have more behind it. */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const LENGTH = 55;
const MAX_LENGTH = 256;
const MAX_STATE_LENGTH = 512;

/** Undefined for what is no `traceparent`: a trace never stands in an event's way. */
export function readTrace(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_LENGTH) return undefined;
  const [, version, trace, span, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (!version || (version === '00' && traceparent.length !== LENGTH)) return undefined;
  const known = { traceparent: `00-${trace}-${span}-${flags}` };
  if (typeof tracestate !== 'string' || tracestate === '') return known;
  return tracestate.length > MAX_STATE_LENGTH ? known : { ...known, tracestate };
}

/** The event's own, which stays with it whoever hands it on; else that of the record as it was sent. */
export function traceOf(
  headers: LogRecord['headers'],
  traceparent: unknown,
  tracestate: unknown,
): TraceContext | undefined {
  return readTrace(traceparent, tracestate) ?? readTrace(headers.traceparent, headers.tracestate);
}

/** The id of the trace that a context is in. */
export function traceIdOf({ traceparent }: TraceContext): string {
  return traceparent.slice(3, 35);
}
