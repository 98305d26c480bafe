import { formatSignerKey, formatVerifierKey, isKeyName } from '../../audit/log/keys.js';
import { LegonetError } from '../../errors.js';
import { rotateKey } from '../../publish/rotate.js';
import { newKey } from '../../publish/signer.js';
import { createFile } from '../../store/kept-file.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';

type Options = { readonly rotate?: boolean; readonly output?: string };

const FILE = 'legonet-signing-key';

export async function run(
  context: Context,
  name: string | undefined,
  { rotate = false, output }: Options,
): Promise<ExitCode> {
  if (rotate) return rotated(context, name, output);
  if (name !== undefined && !isKeyName(name)) {
    throw new LegonetError('wrong_usage', 'keygen: a name is not empty, and has no space or plus');
  }
  const key = newKey(name);
  const file = output ?? FILE;
  await createFile(file, `${formatSignerKey(key)}\n`);
  const vkey = formatVerifierKey(key);
  context.print({ vkey, name: key.name, file }, () => vkey);
  if (!context.json) {
    context.say(
      `The signing key is in ${file}: set LEGONET_SIGNING_KEY_FILE to it, keep it secret.`,
    );
    context.say('Give the verifier key above to those who will check certificates.');
  }
  return 0;
}

async function rotated(
  context: Context,
  name: string | undefined,
  output: string | undefined,
): Promise<ExitCode> {
  if (name !== undefined) {
    throw new LegonetError('wrong_usage', 'keygen --rotate: the name stays, so leave it out');
  }
  const done = await withDatabase(context, (database) =>
    rotateKey(context.settings, database, output),
  );
  context.print(done, () => done.vkey);
  if (!context.json) {
    context.say(
      done.inPlace
        ? `The new signing key is in ${done.file}; whatever runs there takes it up by itself.`
        : `The new signing key is in ${done.file}. Nothing is published until the processes have it: put it ` +
            'where LEGONET_SIGNING_KEY_FILE points, or set LEGONET_SIGNING_KEY and start them anew.',
    );
    context.say(`Certificates hold under the key above and the one before, ${done.from}`);
  }
  return 0;
}
