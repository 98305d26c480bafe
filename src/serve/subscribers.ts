import type { Hono } from 'hono';
import { z } from 'zod';
import { parseJson } from '../events/envelope.js';
import { EventError } from '../events/error.js';
import { id } from '../events/schemas.js';
import { adopt, readAdopters } from '../store/adoptions.js';
import { readVersions } from '../store/audit.js';
import { Bodies } from './body.js';
import type { Deps } from './deps.js';
import { HttpError } from './problem.js';
import { json, parse, route } from './route.js';
import { MAX_INT, versionNumber } from './schemas.js';

const BODY_BYTES = 4096;
const adoption = z.strictObject({
  version: z.int('expected a whole number').min(1, 'expected 1 or more').max(MAX_INT),
});

/** Who has taken which version into use. */
export function addSubscribers(app: Hono, { access, database: { pool } }: Deps): void {
  const bodies = new Bodies();

  route(app, access, '/v1/subscribers/:name', ['versions:adopt'], {
    PUT: (context) =>
      bodies.use(context, BODY_BYTES, async (body) => {
        const name = parse(id, context.req.param('name'), 'name');
        const { version } = parse(adoption, readJson(body));
        return json(await adopt(pool, name, version));
      }),
  });

  route(app, access, '/v1/versions/:version/subscribers', ['audit:read'], {
    GET: async ({ req }) => {
      const version = parse(versionNumber, req.param('version'), 'version');
      const [row] = await readVersions(pool, version);
      if (!row) throw new HttpError('no_version', 404, `no version ${version}: see /v1/versions`);
      return json({ version, ...(await readAdopters(pool, version)) });
    },
  });
}

function readJson(body: Uint8Array): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new HttpError('invalid_request', 400, `body: ${error.message}`);
  }
}
