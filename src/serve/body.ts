import type { IncomingMessage } from 'node:http';
import { HttpError } from './problem.js';

/** Bytes of a request's body, and how many such bodies are read at a time: what memory they may take. */
export const BODY_BYTES = 8 * 1024 * 1024;
const BODIES = 16;

/** Lets so many requests with a body go on at a time as memory is set aside for. */
export class Bodies {
  readonly #under = new Set<object>();

  /** Throws `too_busy` while there are many. */
  enter(request: object): void {
    if (this.#under.size >= BODIES) {
      throw new HttpError('too_busy', 503, 'too many requests with a body at a time: try again');
    }
    this.#under.add(request);
  }

  /** When the request is answered, whatever with. */
  leave(request: object): void {
    this.#under.delete(request);
  }
}

/** Reads a whole body. Throws `body_too_large`, or `invalid_request` where it ends before its end. */
export function readBody(stream: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = () => {
      stream.off('data', take);
      // What is still on its way must go somewhere, or the answer would not be read.
      stream.resume();
      const message = `the body has more than ${limit} bytes: send less at a time`;
      reject(new HttpError('body_too_large', 413, message));
    };
    const take = (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > limit) refuse();
      else chunks.push(chunk);
    };
    const cut = () => reject(new HttpError('invalid_request', 400, 'body: it ends too early'));
    stream.once('end', () => resolve(Buffer.concat(chunks, size)));
    stream.once('error', cut);
    stream.once('close', cut);
    if (Number(stream.headers['content-length'] ?? 0) > limit) refuse();
    else stream.on('data', take);
  });
}
