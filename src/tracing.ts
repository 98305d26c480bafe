import {
  context,
  createTraceState,
  isSpanContextValid,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { LegonetError } from './errors.js';
import { type TraceContext, traceIdOf } from './events/trace-context.js';

export type { TraceContext } from './events/trace-context.js';

/*
 * Spans of what Legonet does, for whoever has installed an OpenTelemetry SDK in the process; without one
 * nothing is recorded, and a context is handed on as it came. Nothing of a person may be in a span: no
 * ids, labels or keys, nor an error's message, which may quote them.
 */

/** Why something is done: the contexts of deletions, which somebody waits for, and of all else. */
export type Causes = {
  readonly deletions: readonly TraceContext[];
  readonly others: readonly TraceContext[];
};

/** Which messages, in the terms of OpenTelemetry's conventions for messaging, as of 1.45. */
export type Messages = {
  readonly system: string;
  readonly topic: string;
  readonly count: number;
  readonly partition?: number;
  readonly group?: string;
};

export type SpanOptions = {
  readonly name: keyof typeof KINDS;
  readonly causes: Causes;
  readonly messages?: Messages;
};

/** The span, for the work that it is of. */
export type Traced = {
  /** Where others continue: its own context, or its first cause's where no span is made; or null. */
  readonly traceparent: string | null;
  /** Adds numbers to it, by their names after `legonet.`. */
  note(numbers: Readonly<Record<string, number>>): void;
};

const KINDS = {
  project: SpanKind.CONSUMER,
  build: SpanKind.INTERNAL,
  publish: SpanKind.PRODUCER,
} as const;
const OPERATIONS = { project: 'process', publish: 'send', build: undefined } as const;

/** As many as an SDK keeps if nobody says otherwise. */
export const MAX_LINKS = 128;

/**
 * Does `work` in a span that links to its causes. It is in the trace of the deletions among them, or if
 * there are none of the others, where these share one; else in a trace of its own.
 */
export function traced<T>(
  { name, causes, messages }: SpanOptions,
  work: (span: Traced) => Promise<T>,
): Promise<T> {
  const all = [...causes.deletions, ...causes.others];
  const parent = parentOf(causes);
  const active = context.active();
  const span = trace.getTracer('legonet').startSpan(
    messages ? `${name} ${messages.topic}` : name,
    {
      kind: KINDS[name],
      attributes: messages ? attributesOf(name, messages) : {},
      links: all.slice(0, MAX_LINKS).map((cause) => ({ context: spanContextOf(cause) })),
    },
    parent ? trace.setSpanContext(active, spanContextOf(parent)) : active,
  );
  const traceparent = traceparentOf(span) ?? all[0]?.traceparent ?? null;
  const note: Traced['note'] = (numbers) => {
    for (const [key, value] of Object.entries(numbers)) span.setAttribute(`legonet.${key}`, value);
  };
  return context.with(trace.setSpan(active, span), () => ending(span, work({ traceparent, note })));
}

async function ending<T>(span: Span, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute('error.type', errorType(error));
    throw error;
  } finally {
    span.end();
  }
}

/** The last in the trace that they share: what is done in steps continues its last step. */
function parentOf({ deletions, others }: Causes): TraceContext | undefined {
  const [first, ...rest] = deletions.length > 0 ? deletions : others;
  if (!first) return undefined;
  const id = traceIdOf(first);
  if (rest.some((cause) => traceIdOf(cause) !== id)) return undefined;
  return [...deletions, ...others].findLast((cause) => traceIdOf(cause) === id);
}

function attributesOf(name: SpanOptions['name'], { system, topic, count, ...more }: Messages) {
  const { partition, group } = more;
  return {
    'messaging.system.name': system,
    'messaging.operation.name': name,
    'messaging.operation.type': OPERATIONS[name],
    'messaging.destination.name': topic,
    'messaging.destination.partition.id': partition === undefined ? undefined : String(partition),
    'messaging.consumer.group.name': group,
    'messaging.batch.message_count': count,
  };
}

function spanContextOf({ traceparent, tracestate }: TraceContext): SpanContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  const known = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return tracestate === undefined ? known : { ...known, traceState: createTraceState(tracestate) };
}

/** Undefined where there is no SDK and no context to hand on. */
function traceparentOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!isSpanContextValid(span.spanContext())) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** A code of ours, of the database or of the system; else the kind of error. */
function errorType(error: unknown): string {
  if (error instanceof LegonetError) return error.code;
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
