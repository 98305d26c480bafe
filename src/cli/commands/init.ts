import type { Context, ExitCode } from '../context.js';
import { readModelFile } from '../model-file.js';
import { putInForce } from '../put-in-force.js';
import { withStores } from '../stores.js';

export async function run(context: Context, path: string): Promise<ExitCode> {
  const file = await readModelFile(path);
  const { engine } = context.settings;
  const created = await withStores(context, ({ database }) => putInForce(file, database, engine));
  const { model } = file;
  const { name, adapters, activated } = model.configuration;
  context.print({ model: name, configDigest: model.digest, created }, () =>
    [
      created ? `Model ${name} created.` : `Model ${name} is in force already.`,
      `${adapters} adapters, ${activated} to a sample, configuration ${model.digest}`,
    ].join('\n'),
  );
  return 0;
}
