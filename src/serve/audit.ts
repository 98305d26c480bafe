import type { Hono } from 'hono';
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
import type { Deps } from './deps.js';
import { HttpError } from './problem.js';
import { json, parse, route } from './route.js';
import { adapterNumber, paging } from './schemas.js';

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

/** What the command line's queries print with --json: personal data. */
export function addAudit(app: Hono, deps: Deps): void {
  const { access, log, topics, erasureDeadlineMs } = deps;
  const { pool } = deps.database;
  const admitted = ['audit:read'] as const;

  route(app, access, '/v1/samples/:id', admitted, {
    GET: async ({ req }) => json(await readSample(pool, parse(id, req.param('id'), 'id'))),
  });

  route(app, access, '/v1/adapters', admitted, {
    GET: async () => json(await readAdapters(pool)),
  });

  route(app, access, '/v1/adapters/:adapter', admitted, {
    GET: async ({ req }) => {
      const adapter = parse(adapterNumber, req.param('adapter'), 'adapter');
      const report = await readAdapter(pool, adapter);
      if (report) return json(report);
      throw new HttpError('no_adapter', 404, `no adapter ${adapter}: see /v1/adapters`);
    },
  });

  route(app, access, '/v1/deletions', admitted, {
    GET: async ({ req }) => {
      const { after, limit } = parse(page, req.query());
      const rows = await readDeletionsAfter(pool, after ?? FIRST, limit + 1);
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      if (!last) return json(rows);
      const cursor = JSON.stringify([last.requestId, last.kind, last.target]);
      const query = `after=${Buffer.from(cursor).toString('base64url')}&limit=${limit}`;
      return json(rows.slice(0, limit), { link: `</v1/deletions?${query}>; rel="next"` });
    },
  });

  route(app, access, '/v1/deletions/:id', admitted, {
    GET: async ({ req }) => {
      const rows = await readDeletions(pool, parse(id, req.param('id'), 'id'));
      if (rows.length > 0) return json(rows);
      throw new HttpError('no_deletion', 404, 'no request has this id: see /v1/deletions');
    },
  });

  route(app, access, '/v1/status', ['audit:read', 'metrics:read'], {
    GET: async () => {
      const lags = await readLagsInTime(pool, log, topics.sampleEvents);
      if (!lags)
        throw new HttpError('unavailable', 503, 'the event log does not answer: try again');
      const lag = lags.reduce((sum, { behind }) => sum + behind, 0n);
      const erasures = await readErasures(pool, erasureDeadlineMs);
      return json({ ...(await readStatus(pool)), ...erasures, lag });
    },
  });
}
