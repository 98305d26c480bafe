import { createParser } from 'eventsource-parser';
import { LegonetError } from '../errors.js';
import { Backoff } from './backoff.js';
import { AnswerError, type Remote } from './http.js';
import type { Listener, Source } from './source.js';

const PATH = '/v1/versions/stream';
/** What an event is read up to. */
const EVENT_BYTES = 64 * 1024 * 1024;

/**
 * News by server-sent events, resumed where they broke off. A stream on which nothing at all, not even a
 * sign of life, has come for `silenceMs` is given up for another.
 */
export function streamSource(remote: Remote, silenceMs: number): Source {
  return async (listener, signal) => {
    const backoff = new Backoff();
    const position: Position = { last: undefined };
    while (!signal.aborted) {
      const ended = new AbortController();
      try {
        const either = AbortSignal.any([signal, ended.signal]);
        await follow(remote, position, silenceMs, listener, { signal: either, ended, backoff });
      } catch (error) {
        if (signal.aborted) break;
        // The server does not know the position: it has another history than it had.
        if (error instanceof AnswerError && error.status === 409) position.last = undefined;
        listener.trouble(error);
      } finally {
        ended.abort();
        listener.connected(false);
      }
      await backoff.wait(signal);
    }
  };
}

type Position = { last: string | undefined };
type Running = {
  readonly signal: AbortSignal;
  readonly ended: AbortController;
  readonly backoff: Backoff;
};

/** Reads one stream to its end, which is no failure: the server stops, or starts again. */
async function follow(
  remote: Remote,
  position: Position,
  silenceMs: number,
  listener: Listener,
  { signal, ended, backoff }: Running,
): Promise<void> {
  const timer = setTimeout(() => ended.abort(), silenceMs);
  try {
    const headers = position.last === undefined ? {} : { 'last-event-id': position.last };
    const body = await remote.stream(PATH, headers, signal);
    backoff.reset();
    listener.connected(true);
    // Also where the server resumes: its history may not be the one it had.
    listener.missed();
    const utf8 = new TextDecoder();
    let broken: Error | undefined;
    const parser = createParser({
      maxBufferSize: EVENT_BYTES,
      onEvent: ({ id, data }) => {
        listener.hear(Buffer.from(data, 'utf8'));
        if (id !== undefined && id !== '') position.last = id;
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') broken = error;
      },
    });
    for await (const chunk of body) {
      timer.refresh();
      parser.feed(utf8.decode(chunk, { stream: true }));
      if (broken) break;
    }
    if (broken) {
      // Resumed, it would come again.
      position.last = undefined;
      throw new LegonetError(
        'answer_too_large',
        `${PATH}: an event of more than ${EVENT_BYTES} bytes: is this the server's own address?`,
        'retryable',
        { cause: broken },
      );
    }
  } catch (error) {
    throw signal.aborted && !(error instanceof LegonetError)
      ? silent(silenceMs, error)
      : broke(error);
  } finally {
    clearTimeout(timer);
  }
}

const silent = (silenceMs: number, cause: unknown): LegonetError =>
  new LegonetError(
    'server_unreachable',
    `${PATH}: nothing heard for ${silenceMs} ms: it is tried again`,
    'retryable',
    { cause },
  );

function broke(error: unknown): LegonetError {
  if (error instanceof LegonetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LegonetError(
    'server_unreachable',
    `${PATH}: the stream broke off (${message}): it is tried again`,
    'retryable',
    { cause: error },
  );
}
