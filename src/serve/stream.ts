import type { Context, Hono } from 'hono';
import { readFeedEnds } from '../store/feed.js';
import type { Deps } from './deps.js';
import { HttpError } from './problem.js';
import { route } from './route.js';

const HEADERS = {
  'content-type': 'text/event-stream',
  // Else a proxy may wait until it has more.
  'x-accel-buffering': 'no',
};

/** Published and retired versions as they come, from where the subscriber has been. */
export function addStream(app: Hono, { access, database: { pool }, streams }: Deps): void {
  route(app, access, '/v1/versions/stream', ['versions:read'], {
    GET: async ({ req }) => {
      const { start, last } = await readFeedEnds(pool);
      const after = lastEventId(req) ?? start;
      if (after > last) {
        throw new HttpError(
          'unknown_position',
          409,
          'Last-Event-ID: nothing was ever published so far; is this another database, or an older one? ' +
            'Begin again without it',
        );
      }
      if (streams.full) {
        throw new HttpError('too_many_streams', 503, 'no more streams at a time: try again', {
          headers: { 'retry-after': '5' },
        });
      }
      const body = req.method === 'HEAD' ? null : streams.open(after);
      return new Response(body, { headers: HEADERS });
    },
  });
}

function lastEventId(req: Context['req']): bigint | null {
  const text = req.header('last-event-id');
  if (text === undefined || text === '') return null;
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new HttpError('invalid_request', 400, 'Last-Event-ID: expected the id of an event');
}
