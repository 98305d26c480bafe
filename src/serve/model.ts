import type { IncomingHttpHeaders } from 'node:http';
import { readBackend } from '../store/model.js';
import { type Answer, bytes, etag, json, notModified, REVALIDATED } from './answer.js';
import * as answers from './answers.js';
import type { StoredMatrix } from './files.js';
import { HttpError } from './problem.js';
import { type Described, type Route, route } from './route.js';

const headers = { 'if-none-match': 'The ETag of a copy.' };
const matrixAnswers: Readonly<Record<number, Described>> = {
  200: {
    description: 'Row-major: int8, or float64 little-endian.',
    headers: { etag: 'The digest.' },
    content: { 'application/octet-stream': answers.binary },
  },
  304: { description: 'The copy is good.' },
};

/** The configuration in force, and what its files hold: all that a subscriber needs besides weights. */
export const modelRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/model',
    summary: 'The configuration in force',
    scopes: ['predict'],
    headers,
    answers: {
      200: {
        description: 'With its digest.',
        headers: { etag: 'The digest of the configuration.' },
        content: { 'application/json': answers.modelDescription },
      },
      304: { description: 'The copy is good.' },
    },
    handle: async ({ headers: given }, { database, model, files, engine }) => {
      const { configuration, digest: configDigest } = model;
      const known = notModified(given, configDigest);
      if (known) return known;
      const description = {
        name: configuration.name,
        configDigest,
        configuration,
        backend: await readBackend(database.pool),
        engine,
        keys: describe(files.keys),
        projection: describe(files.projection),
      };
      return json(description, { etag: etag(configDigest), 'cache-control': REVALIDATED });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/model/keys',
    summary: 'The matrix of keys, where a file has it',
    scopes: ['predict'],
    headers,
    answers: matrixAnswers,
    problems: { 404: 'no_matrix' },
    handle: (asked, { files }) => matrix(asked.headers, files.keys),
  }),
  route({
    method: 'GET',
    path: '/v1/model/projection',
    summary: 'The projection, where there is one',
    scopes: ['predict'],
    headers,
    answers: matrixAnswers,
    problems: { 404: 'no_matrix' },
    handle: (asked, { files }) => matrix(asked.headers, files.projection),
  }),
];

function matrix(given: IncomingHttpHeaders, stored: StoredMatrix | null): Answer {
  if (!stored) {
    const message = 'the configuration names no such file: the model is made without it';
    throw new HttpError('no_matrix', 404, message);
  }
  const { digest, content } = stored;
  return notModified(given, digest) ?? bytes(content, digest, REVALIDATED);
}

function describe(stored: StoredMatrix | null): Omit<StoredMatrix, 'content'> | null {
  if (!stored) return null;
  const { rows, columns, type, digest } = stored;
  return { rows, columns, type, digest };
}
