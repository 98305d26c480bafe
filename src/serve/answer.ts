import type { IncomingHttpHeaders } from 'node:http';
import { toJson } from '../store/json.js';

/** What is sent back. Without content where `body` is null. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | null;
};

/**
 * For content that its address names. Private, since weights are erased when a sample of theirs is
 * deleted: no cache that many share may go on serving them.
 */
export const IMMUTABLE = 'private, max-age=31536000, immutable';
/** For content that may be looked at again: the client asks whether it has changed. */
export const REVALIDATED = 'private, no-cache';

export function json(
  value: unknown,
  headers: Answer['headers'] = {},
  status = 200,
  type = 'application/json',
): Answer {
  return { status, headers: { 'content-type': type, ...headers }, body: `${toJson(value)}\n` };
}

/** Text that is sent as it is. */
export function text(type: string, body: string, headers: Answer['headers'] = {}): Answer {
  return { status: 200, headers: { 'content-type': type, ...headers }, body };
}

/** Bytes under their digest, for the client to keep. */
export function bytes(content: Uint8Array, digest: string, caching: string): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'cache-control': caching,
      etag: etag(digest),
    },
    body: content,
  };
}

/** An answer without content, if the client has it already. */
export function notModified(headers: IncomingHttpHeaders, digest: string): Answer | null {
  const known = (headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim());
  const tag = etag(digest);
  if (!known.some((one) => one === '*' || one.replace(/^W\//, '') === tag)) return null;
  return { status: 304, headers: { etag: tag }, body: null };
}

export const etag = (digest: string): string => `"${digest}"`;
