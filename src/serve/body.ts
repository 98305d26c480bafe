import type { Context } from 'hono';
import { HttpError } from './problem.js';

/** Bytes of a request's body, and how many such bodies are read at a time: what memory they may take. */
export const BODY_BYTES = 8 * 1024 * 1024;
const BODIES = 16;

/** Reads requests' bodies, no more of them at a time than memory is set aside for. */
export class Bodies {
  #reading = 0;

  /** Runs `work` on the whole body. Throws `body_too_large`, or `too_busy` while many are read. */
  async use<T>(
    context: Context,
    limit: number,
    work: (body: Uint8Array) => Promise<T>,
  ): Promise<T> {
    if (this.#reading >= BODIES) {
      throw new HttpError('too_busy', 503, 'too many requests with a body at a time: try again');
    }
    this.#reading++;
    try {
      return await work(await readBody(context, limit));
    } finally {
      this.#reading--;
    }
  }
}

async function readBody({ req }: Context, limit: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new HttpError(
      'body_too_large',
      413,
      `the body has more than ${limit} bytes: send less at a time`,
    );
  if (Number(req.header('content-length') ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = req.raw.body?.getReader();
  if (!reader) return new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, size);
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel().catch(() => {});
      throw tooLarge();
    }
    chunks.push(value);
  }
}
