import { z } from 'zod';
import { id } from '../events/schemas.js';
import { adopt, readAdopters } from '../store/adoptions.js';
import { readVersions } from '../store/audit.js';
import { json } from './answer.js';
import * as answers from './answers.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';
import { MAX_INT, versionNumber } from './schemas.js';

const BODY_BYTES = 4096;
const adoption = z.strictObject({
  version: z.int('expected a whole number').min(1, 'expected 1 or more').max(MAX_INT),
});

/** Who has taken which version into use. */
export const subscriberRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/v1/subscribers/:name',
    summary: 'Say that a subscriber uses a version from now on',
    scopes: ['predict'],
    params: z.object({ name: id }),
    body: { limit: BODY_BYTES, json: adoption },
    answers: { 200: { description: 'Noted.', content: { 'application/json': answers.adopted } } },
    problems: { 404: 'no_version' },
    handle: async ({ params: { name }, body: { version } }, { database: { pool } }) =>
      json(await adopt(pool, name, version)),
  }),
  route({
    method: 'GET',
    path: '/v1/versions/:version/subscribers',
    summary: 'Who uses a version',
    scopes: ['audit'],
    params: z.object({ version: versionNumber }),
    answers: {
      200: { description: 'By subscriber.', content: { 'application/json': answers.adopters } },
    },
    problems: { 404: 'no_version' },
    handle: async ({ params: { version } }, { database: { pool } }) => {
      const [row] = await readVersions(pool, version);
      if (!row) throw new HttpError('no_version', 404, `no version ${version}: see /v1/versions`);
      return json({ version, ...(await readAdopters(pool, version)) });
    },
  }),
];
