import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LegonetError } from '../errors.js';
import { configurationDigest, LIMITS, parseConfiguration } from '../model/configuration.js';
import { createModel, type Model, storedFiles } from '../model/model.js';
import type { Remote } from './http.js';

const natural = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const matrix = z.object({ rows: natural, columns: natural, digest }).nullable();
const description = z.object({
  configDigest: digest,
  configuration: z.unknown(),
  keys: matrix,
  projection: matrix,
});

type Matrix = z.infer<typeof matrix>;

const CONFIGURATION_BYTES = 64 * 1024 * 1024;

/**
 * The model in force: its configuration and what its files hold. Throws `digest_mismatch` if a part is
 * not what its digest says, `invalid_answer`, `invalid_model`, and as `Remote` does.
 */
export async function fetchModel(remote: Remote): Promise<Model> {
  const result = description.safeParse(await remote.json('/v1/model', CONFIGURATION_BYTES));
  if (!result.success) {
    const message = '/v1/model: expected a configuration and its digest: is this a Legonet server?';
    throw new LegonetError('invalid_answer', message, 'retryable');
  }
  const { configDigest, keys, projection } = result.data;
  const configuration = parseConfiguration(result.data.configuration);
  if (configurationDigest(configuration) !== configDigest) throw mismatch('the configuration');
  return createModel(
    configuration,
    storedFiles(configuration, {
      keys: await fetchMatrix(remote, '/v1/model/keys', keys, 1),
      projection: await fetchMatrix(remote, '/v1/model/projection', projection, 8),
    }),
  );
}

async function fetchMatrix(
  remote: Remote,
  path: string,
  described: Matrix,
  width: number,
): Promise<Uint8Array | null> {
  if (!described) return null;
  const size = described.rows * described.columns * width;
  if (size > LIMITS.adapters * LIMITS.dimension * width) throw mismatch(path);
  const bytes = await remote.bytes(path, size);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== described.digest || bytes.byteLength !== size) throw mismatch(path);
  return bytes;
}

const mismatch = (what: string): LegonetError =>
  new LegonetError(
    'digest_mismatch',
    `${what} is not what its digest says: it was damaged on the way, or the server is not to be trusted`,
    'retryable',
  );
