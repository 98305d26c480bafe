import { createParser } from 'eventsource-parser';
import { LegonetError } from '../errors.js';
import { Backoff } from './backoff.js';
import { AnswerError, type Remote } from './http.js';
import type { Listener, Source } from './source.js';

const PATH = '/v1/versions/stream';
/** What an event is read up to. */
const EVENT_BYTES = 64 * 1024 * 1024;

type Position = { last: string | undefined };

/**
 * News by server-sent events, resumed where they broke off. A stream on which nothing at all, not even a
 * sign of life, has come for `silenceMs` is given up for another.
 */
export function streamSource(remote: Remote, silenceMs: number): Source {
  return async (listener, signal) => {
    const backoff = new Backoff();
    const position: Position = { last: undefined };
    while (!signal.aborted) {
      try {
        await follow(remote, position, silenceMs, listener, backoff);
      } catch (error) {
        if (signal.aborted) break;
        // The server does not know the position: it has another history than it had.
        if (error instanceof AnswerError && error.status === 409) position.last = undefined;
        listener.trouble(error);
      } finally {
        listener.connected(false);
      }
      await backoff.wait(signal);
    }
  };
}

/** Reads one stream to its end, which is no failure: the server stops, or starts again. */
async function follow(
  remote: Remote,
  position: Position,
  silenceMs: number,
  listener: Listener,
  backoff: Backoff,
): Promise<void> {
  const utf8 = new TextDecoder();
  const parser = createParser({
    maxBufferSize: EVENT_BYTES,
    onEvent: ({ id, data }) => {
      listener.hear(Buffer.from(data, 'utf8'));
      if (id !== undefined && id !== '') position.last = id;
    },
    onError: (error) => {
      if (error.type !== 'max-buffer-size-exceeded') return;
      // Resumed, it would come again.
      position.last = undefined;
      throw new LegonetError(
        'answer_too_large',
        `${PATH}: an event of more than ${EVENT_BYTES} bytes: is this the server's own address?`,
        'retryable',
        { cause: error },
      );
    },
  });
  await remote.stream(
    PATH,
    position.last === undefined ? {} : { 'last-event-id': position.last },
    silenceMs,
    () => {
      backoff.reset();
      listener.connected(true);
      // Also where the server resumes: its history may not be the one it had.
      listener.missed();
    },
    (part) => parser.feed(utf8.decode(part, { stream: true })),
  );
}
