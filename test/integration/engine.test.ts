import { createRequire } from 'node:module';
import { expect, onTestFinished, test } from 'vitest';
import { openImageEncoder } from '#src/engine/image-encoder.js';
import { legonet } from '../support/cli.js';
import { createTestDatabase } from '../support/database.js';
import { execute } from '../support/execute.js';
import { layersModel } from '../support/small-models.js';

/** A database in which a model with an encoder of this kind is in force. */
async function databaseWith(encoder: string): Promise<{ DATABASE_URL: string }> {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const configuration = { encoder: { kind: encoder }, adapter: { kind: 'least-squares' } };
  await execute(
    url,
    `INSERT INTO model (name, configuration, digest) VALUES ('m', '${JSON.stringify(configuration)}', 'd')`,
  );
  return { DATABASE_URL: url };
}

test('the status has the engine of a model that needs one, as it is set', async () => {
  const environment = { ...(await databaseWith('tfjs')), LEGONET_ENGINE: 'wasm' };
  const { stdout: json } = await legonet(['status', '--json'], environment);
  expect(JSON.parse(json)).toMatchObject({ engine: 'wasm' });
  const { stdout: text } = await legonet(['status'], environment);
  expect(text).toMatch(/^Engine +wasm \(TensorFlow\)$/m);
});

test('the status of a model that needs none says nothing of engines, and loads none', async () => {
  const environment = { ...(await databaseWith('identity')), LEGONET_ENGINE: 'native' };
  const { stdout: json } = await legonet(['status', '--json'], environment);
  expect(JSON.parse(json)).toMatchObject({ engine: null });
  const { code, stdout: text } = await legonet(['status'], environment);
  expect(code).toBe(0);
  expect(text).not.toMatch(/engine/i);
});

test('nothing of TensorFlow is loaded into the thread that encodes images', async () => {
  const options = { height: 2, width: 2, divisor: 1, offset: 0 };
  const encoder = await openImageEncoder('wasm', layersModel, options);
  await encoder.encode({ values: new Uint8Array(12), count: 1, height: 2, width: 2 });
  await encoder.close();
  const { cache } = createRequire(import.meta.url);
  expect(Object.keys(cache).filter((path) => path.includes('@tensorflow'))).toEqual([]);
});
