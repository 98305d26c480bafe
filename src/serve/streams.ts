import type { Logger } from 'pino';
import type { EventType } from '../events/schemas.js';
import type { Database } from '../store/database.js';
import { type FeedEvent, readFeed } from '../store/feed.js';
import { Alarm, listen } from '../store/listen.js';

/** Streams at a time: what memory and sockets they may take. */
const STREAMS = 1000;
/** What is read at a time, and a slow reader holds in memory. */
const BATCH = { events: 16, bytes: 1024 * 1024 };
const HEARTBEAT_MS = 15_000;

export type StreamsOptions = {
  readonly database: Database;
  readonly logger: Logger;
  readonly heartbeatMs?: number;
  /** Told when something may have been published. */
  readonly onPublished?: () => void;
};

/** The open streams of this process: woken by one listener, read with one query where they agree. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #open = new Set<{ readonly alarm: Alarm; readonly ended: AbortController }>();
  readonly #reading = new Map<bigint, Promise<Frame[]>>();
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;

  constructor(options: StreamsOptions) {
    this.#options = options;
    const wake = () => {
      // A query that has begun already may not see what there is to see now.
      this.#reading.clear();
      for (const { alarm } of this.#open) alarm.wake();
      options.onPublished?.();
    };
    const { url } = options.database;
    this.#listening = listen(url, ['legonet_published'], wake, this.#closing.signal);
  }

  get size(): number {
    return this.#open.size;
  }

  get full(): boolean {
    return this.#closing.signal.aborted || this.#open.size >= STREAMS;
  }

  /**
   * Server-sent events after a position. Each is read when the reader has taken the one before, so a slow
   * reader costs a batch of memory and no more. A failure ends the stream: the reader comes back.
   */
  open(after: bigint): ReadableStream<Uint8Array> {
    const { logger, heartbeatMs = HEARTBEAT_MS } = this.#options;
    const stream = { alarm: new Alarm(), ended: new AbortController() };
    this.#open.add(stream);
    const frames = this.#frames(after, stream.alarm, stream.ended.signal, heartbeatMs);
    let cancelled = false;
    return new ReadableStream({
      pull: async (controller) => {
        const next = await frames.next().catch((error: unknown) => {
          logger.warn(
            { event: 'stream_failed', err: error },
            'a stream ends: the database does not answer',
          );
          return { done: true, value: undefined } as const;
        });
        if (cancelled) return;
        if (!next.done) return controller.enqueue(next.value);
        this.#open.delete(stream);
        controller.close();
      },
      cancel: () => {
        cancelled = true;
        this.#open.delete(stream);
        stream.ended.abort();
      },
    });
  }

  async *#frames(
    after: bigint,
    alarm: Alarm,
    ended: AbortSignal,
    heartbeatMs: number,
  ): AsyncGenerator<Uint8Array, undefined> {
    yield encode('retry: 1000\n\n');
    let last = after;
    let heard = performance.now();
    while (!ended.aborted) {
      const frames = await this.#read(last);
      for (const { id, bytes } of frames) {
        if (ended.aborted) return;
        last = id;
        yield bytes;
        heard = performance.now();
      }
      if (frames.length > 0) continue;
      const quiet = performance.now() - heard;
      if (quiet >= heartbeatMs) {
        yield encode(': still here\n\n');
        heard = performance.now();
      } else await alarm.wait(heartbeatMs - quiet, ended);
    }
  }

  /** Streams that stand at the same position share a query. */
  #read(after: bigint): Promise<Frame[]> {
    const known = this.#reading.get(after);
    if (known) return known;
    const reading = readFeed(this.#options.database.pool, after, BATCH).then((events) =>
      events.map(toFrame),
    );
    this.#reading.set(after, reading);
    const forget = () => {
      if (this.#reading.get(after) === reading) this.#reading.delete(after);
    };
    reading.then(forget, forget);
    return reading;
  }

  /** Ends every stream, and opens no other. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const { ended } of this.#open) ended.abort();
    await this.#listening;
  }
}

const utf8 = new TextEncoder();
const encode = (text: string): Uint8Array => utf8.encode(text);

const TYPES = {
  published: 'legonet.model.version.published.v1',
  retired: 'legonet.model.version.retired.v1',
} as const satisfies Record<FeedEvent['kind'], EventType>;

type Frame = { readonly id: bigint; readonly bytes: Uint8Array };

/** The event's JSON is on one line, as JSON.stringify writes it. */
function toFrame({ id, kind, value }: FeedEvent): Frame {
  const bytes = encode(`id: ${id}\nevent: ${TYPES[kind]}\ndata: ${value.toString('utf8')}\n\n`);
  return { id, bytes };
}
