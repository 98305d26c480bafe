import { LegonetError } from '../errors.js';
import { replaceFile } from '../store/kept-file.js';
import type { Context } from './context.js';

/** Checks where a document is to go, before any work. Throws `wrong_usage`. */
export function checkOutput(name: string, { json }: Context, output: string): void {
  if (json && output === '-') {
    throw new LegonetError('wrong_usage', `${name}: -o - and --json both write to stdout`);
  }
}

/** Writes a document to stdout, for `-`, or into a file, for its owner only; and says so. */
export async function writeOutput(
  context: Context,
  output: string,
  text: string,
  { summary, say }: { readonly summary: object; readonly say: string },
): Promise<void> {
  if (output === '-') {
    process.stdout.write(text);
    return;
  }
  await replaceFile(output, text).catch((cause) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LegonetError('output_unwritable', `cannot write ${output}: ${reason}`, 'terminal', {
      cause,
    });
  });
  const bytes = Buffer.byteLength(text);
  context.print({ ...summary, file: output, bytes }, () => `${say} is in ${output}`);
}
