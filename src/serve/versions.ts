import type { Hono } from 'hono';
import { z } from 'zod';
import {
  readLatestVersion,
  readVersions,
  readVersionsAfter,
  type VersionRow,
} from '../store/audit.js';
import { readWeights, readWeightsOfVersion } from '../store/weights.js';
import type { Deps } from './deps.js';
import { bytes, IMMUTABLE, notModified } from './immutable.js';
import { HttpError } from './problem.js';
import { json, parse, route } from './route.js';
import { MAX_INT, paging, versionNumber } from './schemas.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 digest, in lower-case hex');
const page = paging(z.coerce.number().int().min(0).max(MAX_INT).default(0));

/** Versions and the weights they are made of. */
export function addVersions(app: Hono, { access, database: { pool } }: Deps): void {
  const admitted = ['versions:read'] as const;

  const whole = async (row: VersionRow | null | undefined, which: string): Promise<Response> => {
    if (!row) throw new HttpError('no_version', 404, `${which}: see /v1/versions`);
    return json({ ...row, weights: await readWeightsOfVersion(pool, row.version) });
  };

  route(app, access, '/v1/versions', admitted, {
    GET: async ({ req }) => {
      const { after, limit } = parse(page, req.query());
      const rows = await readVersionsAfter(pool, after, limit + 1);
      const last = rows.length > limit ? rows[limit - 1]?.version : undefined;
      const next = `</v1/versions?after=${last}&limit=${limit}>; rel="next"`;
      return json(rows.slice(0, limit), last === undefined ? {} : { link: next });
    },
  });

  route(app, access, '/v1/versions/latest', admitted, {
    GET: async () => whole(await readLatestVersion(pool), 'no version is published yet'),
  });

  route(app, access, '/v1/versions/:version', admitted, {
    GET: async ({ req }) => {
      const version = parse(versionNumber, req.param('version'), 'version');
      const [row] = await readVersions(pool, version);
      return whole(row, `no version ${version}`);
    },
  });

  route(app, access, '/v1/weights/:digest', admitted, {
    GET: async ({ req }) => {
      const wanted = parse(digest, req.param('digest'), 'digest');
      const weights = await readWeights(pool, wanted);
      if (weights === 'unknown') {
        throw new HttpError('unknown_weights', 404, 'no weights have this digest');
      }
      if (weights === 'erased') {
        const message = 'these weights are erased: their versions held samples that were deleted';
        throw new HttpError('weights_erased', 410, message);
      }
      return notModified(req, wanted) ?? bytes(weights, wanted, IMMUTABLE);
    },
  });
}
