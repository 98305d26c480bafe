import type { Logger } from 'pino';
import type { Compute } from '../build/compute.js';
import { threadCompute } from '../build/threads.js';
import { engineOf } from '../engine/choose.js';
import type { Engine } from '../engine/engine.js';
import { openEncoder } from '../engine/open-encoder.js';
import type { LegonetError } from '../errors.js';
import { loadWasmKernel } from '../kernel/wasm.js';
import type { EventLog } from '../log/event-log.js';
import type { Encoder } from '../model/encoder.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import { keepSigner } from '../publish/keep-signer.js';
import type { OpenSigner } from '../publish/sign.js';
import type { Settings } from '../settings.js';
import type { Database } from '../store/database.js';
import { loadEncoder } from '../store/encoder.js';
import { requireModel } from '../store/model.js';
import type { Observe } from './observe.js';

/** What the roles work with. */
export type Service = {
  readonly settings: Settings;
  readonly database: Database;
  readonly log: EventLog;
  readonly model: Model;
  readonly kernel: Kernel;
  readonly compute: Compute;
  /** Of raw inputs; null where events bring encodings. */
  readonly encoder: Encoder | null;
  /** What TensorFlow runs on; null if the model needs none. */
  readonly engine: Engine | null;
  readonly logger: Logger;
  /** What signs the audit log. */
  readonly signer: OpenSigner;
  /** How far a build has come. */
  readonly onAdapter?: (done: number, total: number) => void;
  /** How many records were projected since the last call. */
  readonly onProjected?: (records: number) => void;
  /** Told why a partition stands still while others go on. */
  readonly onStopped?: (error: LegonetError) => void;
  /** Told what the roles do: metrics and readiness listen here. */
  readonly observe?: Observe;
  /** Told each point passed; tests end the process there. */
  readonly reached?: (point: string) => void;
};

/**
 * The model in force, and threads for its arithmetic. Throws `no_model` before `init`, and
 * `engine_not_installed`.
 */
export async function openService(
  base: Pick<Service, 'settings' | 'database' | 'log' | 'logger'>,
  makeCompute: (url: string, kernel: Kernel, model: Model) => Compute = (url, _, model) =>
    threadCompute(url, model),
): Promise<Service & { close(): Promise<void> }> {
  const model = await requireModel(base.database.pool);
  const engine = engineOf(model.configuration, base.settings.engine);
  if (engine) base.logger.info({ event: 'engine_chosen', engine }, `TensorFlow runs ${engine}`);
  const kernel = await loadWasmKernel();
  const encoder = await openEncoder(model, {
    engine: base.settings.engine,
    files: (sha256) => loadEncoder(base.database.pool, sha256),
  });
  const compute = makeCompute(base.database.url, kernel, model);
  const signer = keepSigner(base.settings, base.database);
  const close = async () => {
    await Promise.all([compute.close(), encoder?.close()]);
  };
  return { ...base, model, kernel, encoder, compute, engine, signer, close };
}
