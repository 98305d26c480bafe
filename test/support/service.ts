import { pino } from 'pino';
import { inlineCompute } from '#src/build/compute.js';
import { openEncoder } from '#src/engine/open-encoder.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import type { Model } from '#src/model/model.js';
import type { Service } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { openDatabase } from '#src/store/database.js';
import { loadEncoder } from '#src/store/encoder.js';
import { saveModel } from '#src/store/model.js';
import { createTestDatabase } from './database.js';
import { SCRATCH } from './scratch.js';
import { memorySigner } from './signer.js';

export type TestService = Service & { close(): Promise<void> };

/** A service on a database of the test's own, or the one that is given, all of it in this thread. */
export async function openTestService(
  model: Model,
  given?: { readonly url: string },
): Promise<TestService> {
  const { url, drop } = given ? { ...given, drop: async () => {} } : await createTestDatabase();
  const settings = readSettings({
    DATABASE_URL: url,
    LEGONET_BUILD_DELAY_MS: '0',
    LEGONET_DATA_DIR: SCRATCH,
  });
  const database = openDatabase(url);
  await saveModel(database, model, {});
  const log = new EmbeddedLog(database);
  const kernel = await loadWasmKernel();
  const encoder = await openEncoder(model, {
    engine: 'wasm',
    files: (sha256) => loadEncoder(database.pool, sha256),
  });
  const compute = inlineCompute(url, kernel, model);
  const logger = pino({ level: 'silent' });
  const close = async () => {
    await Promise.all([compute.close(), encoder?.close()]);
    await log.close();
    await database.close();
    await drop();
  };
  const signer = memorySigner();
  return {
    settings,
    database,
    log,
    model,
    kernel,
    encoder,
    compute,
    engine: null,
    logger,
    signer,
    close,
  };
}
