import { LegonetError } from '../errors.js';
import type { Backend } from '../model/backend.js';
import { littleEndian } from '../model/bytes.js';
import { parseConfiguration } from '../model/configuration.js';
import { createModel, type Model, type ModelFiles, storedFiles } from '../model/model.js';
import { type Database, type Queryable, transaction } from './database.js';
import { saveEncoder } from './encoder.js';

/** Of encoder and adapters; what a model runs on depends on them. */
type Kinds = Readonly<Record<'encoder' | 'adapter', { readonly kind: string }>>;

type ModelRow = {
  configuration: unknown;
  digest: string;
  keys: Buffer | null;
  projection: Buffer | null;
};

/** The model in force, or null before `init`. */
export async function loadModel(client: Queryable): Promise<Model | null> {
  const { rows } = await client.query<ModelRow>(
    'SELECT configuration, digest, keys, projection FROM model',
  );
  const [row] = rows;
  if (!row) return null;
  const configuration = parseConfiguration(row.configuration);
  const model = createModel(configuration, storedFiles(configuration, row));
  if (model.digest === row.digest) return model;
  throw new LegonetError('model_corrupt', 'stored configuration and digest differ', 'stop');
}

/** What kind of encoder and of adapters the model in force has, or null before `init`. */
export async function readKinds(client: Queryable): Promise<Kinds | null> {
  const { rows } = await client.query<Kinds>(
    "SELECT configuration -> 'encoder' AS encoder, configuration -> 'adapter' AS adapter FROM model",
  );
  return rows[0] ?? null;
}

/** As `loadModel`, but throws `no_model` when there is none. */
export async function requireModel(client: Queryable): Promise<Model> {
  const model = await loadModel(client);
  if (model) return model;
  throw new LegonetError('no_model', 'no model yet: create one with `legonet init MODEL.json`');
}

/**
 * Puts a model in force. The same configuration again changes nothing (returns false); another one
 * throws `model_exists`.
 */
export async function saveModel(
  database: Database,
  model: Model,
  files: ModelFiles,
): Promise<boolean> {
  return transaction(database.pool, async (client) => {
    const { configuration, digest, keys } = model;
    const inserted = await client.query(
      `INSERT INTO model (name, configuration, digest, keys, projection)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
      [
        configuration.name,
        JSON.stringify(configuration),
        digest,
        files.keys && keys ? new Uint8Array(keys.values.buffer) : null,
        files.projection ? littleEndian(Float64Array.from(files.projection.values)) : null,
      ],
    );
    if (inserted.rowCount === 1) {
      if (files.encoder) await saveEncoder(client, files.encoder);
      await client.query('INSERT INTO adapters (adapter) SELECT generate_series(0, $1::int - 1)', [
        configuration.adapters,
      ]);
      if (keys === null) await client.query('INSERT INTO placement DEFAULT VALUES');
      return true;
    }
    const { rows } = await client.query<{ digest: string }>('SELECT digest FROM model');
    if (rows[0]?.digest === digest) return false;
    throw new LegonetError(
      'model_exists',
      `another configuration is in force (digest ${rows[0]?.digest}): use another database or data directory`,
    );
  });
}

/** What softmax adapters are trained on, or null before the first process has said so. */
export async function readBackend(client: Queryable): Promise<Backend | null> {
  const { rows } = await client.query<{ backend: Backend | null }>('SELECT backend FROM model');
  return rows[0]?.backend ?? null;
}

/** Keeps the first backend for ever. Returns the one that is kept. */
export async function keepBackend(client: Queryable, backend: Backend): Promise<Backend> {
  await client.query('UPDATE model SET backend = $1 WHERE backend IS NULL', [
    JSON.stringify(backend),
  ]);
  return (await readBackend(client)) ?? backend;
}
