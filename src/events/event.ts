import type { Remembered } from './sample-state.js';
import type { TraceContext } from './trace-context.js';

/** A request for deletion, as its requester knows it. */
export type Request = {
  /** The event's id unless the request names its own. */
  readonly requestId: string;
  readonly reason?: string;
  /** Microseconds since 1970. */
  readonly requestedAt?: bigint;
};

/** What every event has. The same id from the same source is the same event. */
export type Meta = {
  readonly eventId: string;
  readonly source: string;
  /** Microseconds since 1970: the event's own time, or without one its record's. */
  readonly time: bigint;
  /** Of whoever sent it. Says nothing of the sample: what comes of the event does not depend on it. */
  readonly trace?: TraceContext;
};

/** A sample's encoding as its producer gave it; every number is finite. */
export type Encoding =
  | { readonly form: 'numbers'; readonly values: readonly number[] }
  | { readonly form: 'float32'; readonly values: Float32Array }
  | { readonly form: 'int8'; readonly values: Int8Array };

/** What a sample's encoding is yet to be made from. */
export type Input =
  | { readonly form: 'text'; readonly text: string }
  | { readonly form: 'media'; readonly mediaType: string; readonly bytes: Uint8Array };

/** Gives a sample its content. Exactly one of `encoding` and `input` is there. */
export type ContentEvent = Meta & {
  readonly kind: 'ingested' | 'corrected';
  readonly sampleId: string;
  readonly label: string;
  readonly subjectId?: string;
  readonly encoding?: Encoding;
  readonly input?: Input;
  /** What the content is committed to with, 32 bytes; without it one is drawn. */
  readonly salt?: Uint8Array;
  /** What else is known of the sample, in a record that Legonet itself has written. */
  readonly remembered?: Remembered;
};

/** Asks that a sample, or all samples of a subject up to the event's time, be gone for ever. */
export type DeletionEvent = Meta & { readonly request: Request } & (
    | { readonly kind: 'deleted'; readonly sampleId: string }
    | { readonly kind: 'erased'; readonly subjectId: string }
  );

export type SampleEvent = ContentEvent | DeletionEvent;
