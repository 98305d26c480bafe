import { chooseEngine } from '../engine/choose.js';
import type { Engine } from '../engine/engine.js';
import type { Model, ModelFiles } from '../model/model.js';
import type { Database } from '../store/database.js';
import { loadModel, saveModel } from '../store/model.js';

/**
 * Puts a model in force; false if it is already. Throws what `saveModel` does and, where a tfjs encoder does not
 * do what MODEL.json says, what `openTfjsEncoder` does.
 */
export async function putInForce(
  { model, files }: { readonly model: Model; readonly files: ModelFiles },
  database: Database,
  engine: Engine | undefined,
): Promise<boolean> {
  if (!(await loadModel(database.pool))) await tryEncoder(model, files, engine);
  return saveModel(database, model, files);
}

/** A configuration is for ever: whether its encoder works is found out before it is in force. */
async function tryEncoder(
  { configuration: { encoder } }: Model,
  files: ModelFiles,
  engine: Engine | undefined,
): Promise<void> {
  if (encoder.kind !== 'tfjs' || !files.encoder) return;
  const { openTfjsEncoder } = await import('../engine/tfjs-encoder.js');
  const opened = await openTfjsEncoder(encoder, files.encoder, chooseEngine(engine));
  await opened.close();
}
