import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { readFeedEnds } from '../store/feed.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';

const EVENT_STREAM = 'text/event-stream';
const HEADERS = {
  'content-type': EVENT_STREAM,
  // Else a proxy may wait until it has more.
  'x-accel-buffering': 'no',
};

/** Published and retired versions as they come, from where the subscriber has been. */
export const streamRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/versions/stream',
    summary: 'Server-sent events of versions, resumable',
    description:
      'Published and retired versions as CloudEvents in JSON, from after `Last-Event-ID`; without it, ' +
      'from the version in service on; with 0, from the first.',
    scopes: ['predict'],
    headers: { 'last-event-id': 'The id of the last event that was taken.' },
    answers: { 200: { description: 'Without end.', content: { [EVENT_STREAM]: z.string() } } },
    problems: { 409: 'unknown_position', 503: 'too_many_streams' },
    handle: async ({ method, headers }, { database: { pool }, streams }) => {
      const { start, last } = await readFeedEnds(pool);
      const after = lastEventId(headers) ?? start;
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
      return {
        status: 200,
        headers: HEADERS,
        body: method === 'HEAD' ? null : streams.open(after),
      };
    },
  }),
];

function lastEventId(headers: IncomingHttpHeaders): bigint | null {
  const text = headers['last-event-id'];
  if (text === undefined || text === '') return null;
  if (typeof text === 'string' && /^\d{1,18}$/.test(text)) return BigInt(text);
  throw new HttpError('invalid_request', 400, 'Last-Event-ID: expected the id of an event');
}
