import { z } from 'zod';
import { id } from '../events/schemas.js';
import { readLagsInTime } from '../log/lag.js';
import {
  readAdapter,
  readAdapters,
  readDeletions,
  readDeletionsAfter,
  readSample,
} from '../store/audit.js';
import { readErasures, readStatus } from '../store/status.js';
import { json } from './answer.js';
import * as answers from './answers.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';
import { adapterNumber, LINK, paging } from './schemas.js';

/** A place in the list of requests, as `after` has it: base64url of JSON. */
const place = z
  .string()
  .max(4096)
  .transform((text, context) => {
    try {
      return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    } catch {
      context.issues.push({ code: 'custom', message: 'expected what a link gave', input: text });
      return z.NEVER;
    }
  })
  .pipe(z.tuple([id, z.enum(['sample', 'subject']), id], 'expected what a link gave'))
  .transform(([requestId, kind, target]) => ({ requestId, kind, target }));

const page = paging(place.optional());
const FIRST = { requestId: '', kind: 'sample', target: '' } as const;
const content = (schema: z.ZodType) => ({ 'application/json': schema });

/** What the command line's queries print with --json: personal data. */
export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/samples/:id',
    summary: 'What became of a sample',
    scopes: ['audit'],
    params: z.object({ id }),
    answers: {
      200: { description: 'Also of one never seen.', content: content(answers.sampleReport) },
    },
    handle: async ({ params }, { database }) => json(await readSample(database.pool, params.id)),
  }),
  route({
    method: 'GET',
    path: '/v1/adapters',
    summary: 'All adapters',
    scopes: ['audit'],
    answers: {
      200: { description: 'By id.', content: content(z.array(answers.adapterReport)) },
    },
    handle: async (_, { database }) => json(await readAdapters(database.pool)),
  }),
  route({
    method: 'GET',
    path: '/v1/adapters/:adapter',
    summary: 'One adapter',
    scopes: ['audit'],
    params: z.object({ adapter: adapterNumber }),
    answers: { 200: { description: 'As it is.', content: content(answers.adapterReport) } },
    problems: { 404: 'no_adapter' },
    handle: async ({ params: { adapter } }, { database }) => {
      const report = await readAdapter(database.pool, adapter);
      if (report) return json(report);
      throw new HttpError('no_adapter', 404, `no adapter ${adapter}: see /v1/adapters`);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/deletions',
    summary: 'Requests for deletion by id, a thousand at a time',
    scopes: ['audit'],
    query: page,
    answers: {
      200: {
        description: 'A page.',
        headers: LINK,
        content: content(z.array(answers.deletionReport)),
      },
    },
    handle: async ({ query: { after, limit } }, { database }) => {
      const rows = await readDeletionsAfter(database.pool, after ?? FIRST, limit + 1);
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      if (!last) return json(rows);
      const cursor = JSON.stringify([last.requestId, last.kind, last.target]);
      const query = `after=${Buffer.from(cursor).toString('base64url')}&limit=${limit}`;
      return json(rows.slice(0, limit), { link: `</v1/deletions?${query}>; rel="next"` });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/deletions/:id',
    summary: 'Requests of one id',
    scopes: ['audit'],
    params: z.object({ id }),
    answers: {
      200: {
        description: 'One for each sample or subject.',
        content: content(z.array(answers.deletionReport)),
      },
    },
    problems: { 404: 'no_deletion' },
    handle: async ({ params }, { database }) => {
      const rows = await readDeletions(database.pool, params.id);
      if (rows.length > 0) return json(rows);
      throw new HttpError('no_deletion', 404, 'no request has this id: see /v1/deletions');
    },
  }),
  route({
    method: 'GET',
    path: '/v1/status',
    summary: 'How things stand',
    scopes: ['audit'],
    answers: { 200: { description: 'Now.', content: content(answers.statusReport) } },
    handle: async (_, { database: { pool }, log, topics, erasureDeadlineMs, engine }) => {
      const lags = await readLagsInTime(pool, log, topics.sampleEvents);
      if (!lags)
        throw new HttpError('unavailable', 503, 'the event log does not answer: try again');
      const lag = lags.reduce((sum, { behind }) => sum + behind, 0n);
      const erasures = await readErasures(pool, erasureDeadlineMs);
      return json({ ...(await readStatus(pool)), ...erasures, engine, lag });
    },
  }),
];
