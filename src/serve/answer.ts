import type { HonoRequest } from 'hono';

/**
 * For content that its address names. Private, since weights are erased when a sample of theirs is
 * deleted: no cache that many share may go on serving them.
 */
export const IMMUTABLE = 'private, max-age=31536000, immutable';
/** For content that may be looked at again: the client asks whether it has changed. */
export const REVALIDATED = 'private, no-cache';

/** An answer without content, if the client has it already. */
export function notModified(req: HonoRequest, digest: string): Response | null {
  const known = (req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim());
  const tag = etag(digest);
  if (!known.some((one) => one === '*' || one.replace(/^W\//, '') === tag)) return null;
  return new Response(null, { status: 304, headers: { etag: tag } });
}

export function bytes(content: Uint8Array, digest: string, caching: string): Response {
  return new Response(new Uint8Array(content), {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(content.byteLength),
      'cache-control': caching,
      etag: etag(digest),
    },
  });
}

const etag = (digest: string): string => `"${digest}"`;
