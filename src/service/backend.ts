import type { Engine } from '../engine/engine.js';
import { openTrainer } from '../engine/trainer.js';
import type { Backend } from '../model/backend.js';
import type { Model } from '../model/model.js';
import type { Database } from '../store/database.js';
import { keepBackend, readBackend } from '../store/model.js';

/**
 * The backend that the model in force is trained on for ever: that of the first process to ask. Null for
 * least-squares, which any machine computes alike. Throws as `openTrainer` does.
 */
export async function pinBackend(
  { pool }: Pick<Database, 'pool'>,
  { configuration }: Model,
  asked: Engine | undefined,
): Promise<Backend | null> {
  if (configuration.adapter.kind !== 'softmax') return null;
  const pinned = await readBackend(pool);
  if (pinned) return pinned;
  const { backend } = await openTrainer(asked, null);
  return keepBackend(pool, backend);
}
