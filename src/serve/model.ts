import { createHash } from 'node:crypto';
import type { Hono } from 'hono';
import { littleEndian } from '../model/bytes.js';
import type { Model } from '../model/model.js';
import type { Deps } from './deps.js';
import { bytes, notModified, REVALIDATED } from './immutable.js';
import { HttpError } from './problem.js';
import { type Handler, json, route } from './route.js';

/** A matrix of the model's files, as the store has it: row-major. */
type Stored = {
  readonly rows: number;
  readonly columns: number;
  readonly type: 'int8' | 'float64';
  readonly digest: string;
  readonly content: Uint8Array;
};

/** The configuration in force, and what its files hold: all that a subscriber needs besides weights. */
export function addModel(app: Hono, { access, model }: Deps): void {
  const admitted = ['versions:read'] as const;
  const keys = storedKeys(model);
  const projection = storedProjection(model);
  const { configuration, digest: configDigest } = model;
  const description = json({
    name: configuration.name,
    configDigest,
    configuration,
    keys: describe(keys),
    projection: describe(projection),
  });

  route(app, access, '/v1/model', admitted, {
    GET: ({ req }) => {
      const known = notModified(req, configDigest);
      if (known) return known;
      const answer = description.clone();
      answer.headers.set('etag', `"${configDigest}"`);
      answer.headers.set('cache-control', REVALIDATED);
      return answer;
    },
  });
  route(app, access, '/v1/model/keys', admitted, { GET: matrix(keys) });
  route(app, access, '/v1/model/projection', admitted, { GET: matrix(projection) });
}

function matrix(stored: Stored | null): Handler {
  return ({ req }) => {
    if (!stored) {
      const message = 'the configuration names no such file: the model is made without it';
      throw new HttpError('no_matrix', 404, message);
    }
    const { digest, content } = stored;
    return notModified(req, digest) ?? bytes(content, digest, REVALIDATED);
  };
}

function describe(stored: Stored | null): Omit<Stored, 'content'> | null {
  if (!stored) return null;
  const { rows, columns, type, digest } = stored;
  return { rows, columns, type, digest };
}

function storedKeys({ configuration, keys }: Model): Stored | null {
  if (configuration.keys.kind !== 'reference') return null;
  const { adapters: rows, dimension: columns, values } = keys;
  const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { rows, columns, type: 'int8', digest: sha256(content), content };
}

function storedProjection({ quantiser }: Model): Stored | null {
  const { projection, dimension: rows, inputDimension: columns } = quantiser;
  if (!projection) return null;
  const content = littleEndian(projection);
  return { rows, columns, type: 'float64', digest: sha256(content), content };
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
