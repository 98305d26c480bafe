import { describeBackend } from '../../model/backend.js';
import { pinBackend } from '../../service/backend.js';
import type { Context, ExitCode } from '../context.js';
import { readModelFile } from '../model-file.js';
import { putInForce } from '../put-in-force.js';
import { withStores } from '../stores.js';

export async function run(context: Context, path: string): Promise<ExitCode> {
  const file = await readModelFile(path);
  const { model } = file;
  const { created, backend } = await withStores(context, async ({ database, settings }) => ({
    created: await putInForce(file, database, settings.engine),
    backend: await pinBackend(database, model, settings.engine),
  }));
  const { name, adapters, activated } = model.configuration;
  context.print({ model: name, configDigest: model.digest, created, backend }, () =>
    [
      created ? `Model ${name} created.` : `Model ${name} is in force already.`,
      `${adapters} adapters, ${activated} to a sample, configuration ${model.digest}`,
      ...(backend ? [`Trained on ${describeBackend(backend)}, and on nothing else`] : []),
    ].join('\n'),
  );
  return 0;
}
