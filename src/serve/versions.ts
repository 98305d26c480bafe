import { z } from 'zod';
import {
  readLatestVersion,
  readVersions,
  readVersionsAfter,
  type VersionRow,
} from '../store/audit.js';
import type { Queryable } from '../store/database.js';
import { readWeights, readWeightsOfVersion } from '../store/weights.js';
import { type Answer, bytes, IMMUTABLE, json, notModified } from './answer.js';
import * as answers from './answers.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';
import { LINK, MAX_INT, paging, versionNumber } from './schemas.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest, in lower-case hex');
const page = paging(z.coerce.number().int().min(0).max(MAX_INT).default(0));
const content = { 'application/json': answers.wholeVersion };

async function whole(
  client: Queryable,
  row: VersionRow | null | undefined,
  which: string,
): Promise<Answer> {
  if (!row) throw new HttpError('no_version', 404, `${which}: see /v1/versions`);
  return json({ ...row, weights: await readWeightsOfVersion(client, row.version) });
}

/** Versions and the weights they are made of. */
export const versionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/versions',
    summary: 'Versions, oldest first, a thousand at a time',
    scopes: ['predict'],
    query: page,
    answers: {
      200: {
        description: 'A page.',
        headers: LINK,
        content: { 'application/json': z.array(answers.listedVersion) },
      },
    },
    handle: async ({ query: { after, limit } }, { database: { pool } }) => {
      const rows = await readVersionsAfter(pool, after, limit + 1);
      const last = rows.length > limit ? rows[limit - 1]?.version : undefined;
      const next = `</v1/versions?after=${last}&limit=${limit}>; rel="next"`;
      return json(rows.slice(0, limit), last === undefined ? {} : { link: next });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/versions/latest',
    summary: 'The newest version that is published',
    scopes: ['predict'],
    answers: { 200: { description: 'With the digest of every adapter’s weights.', content } },
    problems: { 404: 'no_version' },
    handle: async (_, { database: { pool } }) =>
      whole(pool, await readLatestVersion(pool), 'no version is published yet'),
  }),
  route({
    method: 'GET',
    path: '/v1/versions/:version',
    summary: 'One version',
    scopes: ['predict'],
    params: z.object({ version: versionNumber }),
    answers: { 200: { description: 'With the digest of every adapter’s weights.', content } },
    problems: { 404: 'no_version' },
    handle: async ({ params: { version } }, { database: { pool } }) => {
      const [row] = await readVersions(pool, version);
      return whole(pool, row, `no version ${version}`);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/weights/:digest',
    summary: 'An adapter’s weights',
    description:
      'float32, little-endian, row-major [dimension + 1, classes]. Where keys are samples (`anchors`), the ' +
      'adapter’s key follows, int8 [dimension], if it has one.',
    scopes: ['predict'],
    params: z.object({ digest }),
    headers: { 'if-none-match': 'The ETag of a copy.' },
    answers: {
      200: {
        description: 'They never change under their digest.',
        headers: { etag: 'The digest.', 'cache-control': 'Immutable, for private caches.' },
        content: { 'application/octet-stream': answers.binary },
      },
      304: { description: 'The copy is good.' },
    },
    problems: { 404: 'unknown_weights', 410: 'weights_erased' },
    handle: async ({ params, headers }, { database: { pool } }) => {
      const weights = await readWeights(pool, params.digest);
      if (weights === 'unknown') {
        throw new HttpError('unknown_weights', 404, 'no weights have this digest');
      }
      if (weights === 'erased') {
        const message = 'these weights are erased: their versions held samples that were deleted';
        throw new HttpError('weights_erased', 410, message);
      }
      return notModified(headers, params.digest) ?? bytes(weights, params.digest, IMMUTABLE);
    },
  }),
];
