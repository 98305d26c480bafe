import { v7 } from 'uuid';
import { LegonetError } from '../errors.js';
import {
  type CloudEvent,
  EVENT_CONTENT_TYPE,
  encodeEvent,
  float32Data,
  int8Data,
  type MetaInput,
  recordKey,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
} from '../events/cloud-event.js';
import type { EncodingData } from '../events/encoding.js';
import { EventError } from '../events/error.js';
import { LIMITS } from '../events/record.js';
import type { DataOf } from '../events/schemas.js';
import type { NewRecord, Place } from '../log/event-log.js';
import { Batcher, type BatchLimits } from './batcher.js';
import { type OpenLog, openLog } from './log.js';
import { type LogOptions, nameLog, toSettings } from './options.js';

/**
 * A sample and its content: `sampleId`, `label`, `subjectId?`, and one of `encoding` and `input`. An
 * encoding is numbers, Float32Array, or Int8Array for one that is quantised already. `salt?`: 32 random bytes
 * (or their base64) of this sample alone, that open its commitment in the audit log.
 */
export type Sample = Omit<DataOf<'legonet.sample.ingested.v1'>, 'encoding' | 'salt'> & {
  readonly encoding?: EncodingData | Float32Array | Int8Array;
  readonly salt?: Uint8Array | string;
};
/** What to delete: `sampleId`, and `requestId?`, `reason?`, `requestedAt?` (RFC 3339). */
export type Deletion = DataOf<'legonet.sample.deleted.v1'>;
/** Whom to erase: `subjectId`, and `requestId?`, `reason?`, `requestedAt?` (RFC 3339). */
export type Erasure = DataOf<'legonet.subject.erased.v1'>;

/** What else an event says; all of it may be left out. */
export type EventOptions = {
  /** The same id from the same source is the same event: give one to be able to send it again. */
  readonly id?: string;
  readonly source?: string;
  /** When it happened. Without it, the time at which the log takes it in: one clock for all producers. */
  readonly time?: string | Date;
};

/** Where an event is in the log. */
export type Sent = Place & { readonly id: string };

export type ProducerOptions = LogOptions &
  Partial<BatchLimits> & {
    /** The source of events that do not name their own; default `urn:legonet:producer`. */
    readonly source?: string;
    /** Ends `open`. */
    readonly signal?: AbortSignal;
  };

const DEFAULTS: BatchLimits = {
  lingerMs: 5,
  batchRecords: 500,
  batchBytes: 1024 * 1024,
  bufferRecords: 10_000,
  bufferBytes: 32 * 1024 * 1024,
};

const HEADERS = { 'content-type': EVENT_CONTENT_TYPE };
const live = new Set<string>();

/** Sends events of samples to the log, in batches. One to a log in each process. */
export class Producer {
  readonly #log: OpenLog;
  readonly #name: string;
  readonly #source: string;
  readonly #batcher: Batcher;
  #closed: Promise<void> | undefined;

  private constructor(log: OpenLog, name: string, topic: string, options: ProducerOptions) {
    this.#log = log;
    this.#name = name;
    this.#source = options.source ?? 'urn:legonet:producer';
    this.#batcher = new Batcher((records) => log.append(topic, records), limitsOf(options));
  }

  /**
   * Opens the log. Throws `producer_exists` while this process has another producer to it,
   * `invalid_option`, `invalid_setting`, and what keeps the log from being opened.
   */
  static async open(options: ProducerOptions): Promise<Producer> {
    limitsOf(options);
    const settings = toSettings(options);
    const name = nameLog(settings);
    if (live.has(name)) {
      throw new LegonetError(
        'producer_exists',
        'this process has a producer to the log already: share it, or close it first',
      );
    }
    live.add(name);
    try {
      const log = await openLog(settings, options.signal);
      return new Producer(log, name, settings.topics.sampleEvents, options);
    } catch (error) {
      live.delete(name);
      throw error;
    }
  }

  /** Gives a sample its content. The same id with other content later is a conflict: see `correct`. */
  ingest(sample: Sample, options?: EventOptions): Promise<Sent> {
    return this.#send((meta) => sampleIngested(dataOf(sample), meta), options);
  }

  /** Gives a sample other content. */
  correct(sample: Sample, options?: EventOptions): Promise<Sent> {
    return this.#send((meta) => sampleCorrected(dataOf(sample), meta), options);
  }

  /** Deletes a sample, for ever. */
  delete(deletion: Deletion, options?: EventOptions): Promise<Sent> {
    return this.#send((meta) => sampleDeleted(deletion, meta), options);
  }

  /** Deletes all samples of a subject, those that arrive later with an earlier time included. */
  eraseSubject(erasure: Erasure, options?: EventOptions): Promise<Sent> {
    return this.#send((meta) => subjectErased(erasure, meta), options);
  }

  /** Sends what was accepted, then lets the log go. What comes later is `producer_closed`. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#batcher.close();
    try {
      await this.#log.close();
    } finally {
      live.delete(this.#name);
    }
  }

  /**
   * Resolves when the event is durable. Throws `EventError` if readers would reject it: then nothing is
   * sent. After any other error it may be in the log all the same.
   */
  async #send(
    event: (meta: MetaInput) => CloudEvent,
    { id = v7(), source = this.#source, time }: EventOptions = {},
  ): Promise<Sent> {
    const occurred = time instanceof Date ? rfc3339(time) : time;
    const meta = { id, source, ...(occurred !== undefined && { time: occurred }) };
    const place = await this.#batcher.add(() => toRecord(event(meta)));
    return { id, ...place };
  }
}

function dataOf({ encoding, salt, ...given }: Sample): DataOf<'legonet.sample.ingested.v1'> {
  const text = typeof salt === 'object' ? Buffer.from(salt).toString('base64') : salt;
  const rest = { ...given, ...(text !== undefined && { salt: text }) };
  if (encoding === undefined) return rest;
  if (encoding instanceof Int8Array) return { ...rest, encoding: int8Data(encoding) };
  if (encoding instanceof Float32Array) return { ...rest, encoding: float32Data(encoding) };
  return { ...rest, encoding };
}

/** What is no date at all is left to the schema to refuse. */
const rfc3339 = (time: Date): string =>
  Number.isNaN(time.getTime()) ? String(time) : time.toISOString();

function toRecord(event: CloudEvent): NewRecord {
  const value = encodeEvent(event);
  if (value.byteLength > LIMITS.recordBytes) {
    throw new EventError('oversize', `event: expected at most ${LIMITS.recordBytes} bytes`);
  }
  return { key: recordKey(event), value, headers: HEADERS };
}

function limitsOf(options: Partial<BatchLimits>): BatchLimits {
  const limits: Record<keyof BatchLimits, number> = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof BatchLimits)[]) {
    const value = options[name] ?? DEFAULTS[name];
    const least = name === 'lingerMs' ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new LegonetError('invalid_option', `${name}: expected a whole number from ${least} on`);
    }
    limits[name] = value;
  }
  return limits;
}
