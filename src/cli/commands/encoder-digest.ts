import { relative } from 'node:path';
import { encoderFilesDigest } from '../../model/encoder-files.js';
import type { Context, ExitCode } from '../context.js';
import { readEncoderFiles } from '../encoder-files.js';

/** Prints what MODEL.json says of an encoder's files, for a MODEL.json in the directory in use. */
export async function run(context: Context, path: string): Promise<ExitCode> {
  const sha256 = encoderFilesDigest(await readEncoderFiles(path));
  const fields = { kind: 'tfjs', file: relative('.', path), sha256 };
  context.print(fields, () => `"encoder": ${JSON.stringify(fields, null, 2)}`);
  return 0;
}
