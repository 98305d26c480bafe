import type { Logger } from 'pino';
import type { Compute } from '../build/compute.js';
import { type Training, threadCompute } from '../build/threads.js';
import { engineOf } from '../engine/choose.js';
import type { Engine } from '../engine/engine.js';
import { openEncoder } from '../engine/open-encoder.js';
import { engineNamed } from '../engine/trainer.js';
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
import { pinBackend } from './backend.js';
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

/** How the arithmetic of a model is done. */
export type MakeCompute = (
  url: string,
  kernel: Kernel,
  model: Model,
  training: Training,
) => Compute;

/**
 * The model in force, and threads for its arithmetic. Throws `no_model` before `init`, `engine_not_installed`, and for a
 * softmax model that is pinned to no backend yet what `openTrainer` does.
 */
export async function openService(
  base: Pick<Service, 'settings' | 'database' | 'log' | 'logger'>,
  makeCompute: MakeCompute = (url, _, model, training) => threadCompute(url, model, training),
): Promise<Service & { close(): Promise<void> }> {
  const model = await requireModel(base.database.pool);
  const asked = base.settings.engine;
  const pinned = await pinBackend(base.database, model, asked);
  // Who only predicts takes no engine: that a pinned one is missing is found out by those who build.
  const engine = pinned
    ? (asked ?? engineNamed(pinned) ?? null)
    : engineOf(model.configuration, asked);
  if (engine) base.logger.info({ event: 'engine_chosen', engine }, `TensorFlow runs ${engine}`);
  const kernel = await loadWasmKernel();
  const encoder = await openEncoder(model, {
    engine: asked,
    files: (sha256) => loadEncoder(base.database.pool, sha256),
  });
  const compute = makeCompute(base.database.url, kernel, model, pinned && { pinned, asked });
  const signer = keepSigner(base.settings, base.database);
  const close = async () => {
    await Promise.all([compute.close(), encoder?.close()]);
  };
  return { ...base, model, kernel, encoder, compute, engine, signer, close };
}
