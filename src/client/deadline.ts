/*
 * Node 20 may forget a signal that AbortSignal.any or fetch made of others, once the garbage collector has
 * been there: the abort then never arrives. So each request has a controller of its own, held for as long
 * as the request lasts, and what waits is ended by us.
 */

/** Why a request was given up that had no answer in time. */
export class Late extends Error {}

/**
 * Runs `work` with a signal that aborts when the parent does, or after so many milliseconds without
 * `refresh`; throws its reason at once, whatever `work` is waiting for.
 */
export async function within<T>(
  parent: AbortSignal,
  milliseconds: number,
  work: (signal: AbortSignal, refresh: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort(parent.reason);
  parent.addEventListener('abort', abort, { once: true });
  if (parent.aborted) abort();
  const timer = setTimeout(() => controller.abort(new Late()), milliseconds);
  try {
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    return await Promise.race([work(signal, () => timer.refresh()), aborted]);
  } finally {
    clearTimeout(timer);
    parent.removeEventListener('abort', abort);
    // Whatever is still open of a request that has failed.
    controller.abort();
  }
}

/** Reads a body part by part, until its end or the signal's abort. */
export async function* parts(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}
