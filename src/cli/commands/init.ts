import { saveModel } from '../../store/model.js';
import type { Context, ExitCode } from '../context.js';
import { readModelFile } from '../model-file.js';
import { withStores } from '../stores.js';

export async function run(context: Context, path: string): Promise<ExitCode> {
  const { model, files } = await readModelFile(path);
  const created = await withStores(context, ({ database }) => saveModel(database, model, files));
  const { name, adapters, activated } = model.configuration;
  context.print({ model: name, configDigest: model.digest, created }, () =>
    [
      created ? `Model ${name} created.` : `Model ${name} is in force already.`,
      `${adapters} adapters, ${activated} to a sample, configuration ${model.digest}`,
    ].join('\n'),
  );
  return 0;
}
