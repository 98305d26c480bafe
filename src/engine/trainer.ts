import { type Backend, requireSame } from '../model/backend.js';
import type { Trainer } from '../model/trainer.js';
import { chooseTrainingEngine } from './choose.js';
import { describeEngine } from './describe.js';
import { ENGINES, type Engine } from './engine.js';
import { softmaxTrainer } from './softmax.js';
import { openTensorFlow } from './tensorflow.js';

/** A trainer, and what it trains on. */
export type OpenedTrainer = { readonly trainer: Trainer; readonly backend: Backend };

/**
 * Opens the engine that is asked for, or else that of the model's backend, in this thread. Throws what
 * `chooseTrainingEngine` and `openTensorFlow` do.
 */
export async function openTrainer(
  asked: Engine | undefined,
  pinned: Backend | null,
): Promise<OpenedTrainer> {
  const opened = await openTensorFlow(chooseTrainingEngine(asked, engineNamed(pinned)));
  return { trainer: softmaxTrainer(opened.tf), backend: describeEngine(opened) };
}

/** The engine of a backend. */
export const engineNamed = (backend: Backend | null): Engine | undefined =>
  ENGINES.find((name) => name === backend?.engine);

/** The same for a model that is pinned to a backend. Throws `engine_mismatch` (stop) too. */
export async function openPinned(asked: Engine | undefined, pinned: Backend): Promise<Trainer> {
  const { trainer, backend } = await openTrainer(asked, pinned);
  requireSame(pinned, backend);
  return trainer;
}
