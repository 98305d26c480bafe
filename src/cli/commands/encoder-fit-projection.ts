import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { LegonetError } from '../../errors.js';
import { fitProjection } from '../../model/fit-projection.js';
import type { Context, ExitCode } from '../context.js';
import { readMatrix } from '../input/matrix.js';
import { npyBytes } from '../npy-bytes.js';
import { createProgress } from '../progress.js';

type Options = {
  readonly components: number;
  readonly output: string;
  readonly transform?: string;
};

export async function run(
  context: Context,
  reference: string,
  { components, output, transform = 'none' }: Options,
): Promise<ExitCode> {
  if (transform !== 'none' && transform !== 'sqrt') {
    throw new LegonetError('wrong_usage', 'encoder fit-projection --transform: `none` or `sqrt`');
  }
  const rows = await readMatrix(reference);
  const progress = createProgress(`Reading ${reference}`, rows.rows, {
    unit: 'rows',
    quiet: context.json,
  });
  const fitted = fitProjection(rows, transform, components, progress.update);
  progress.stop();
  const { matrix, scale, explained } = fitted;
  const bytes = npyBytes(matrix.rows, matrix.columns, matrix.values);
  await writeFile(output, bytes).catch((cause) => {
    throw new LegonetError('output_unwritable', `${output}: ${cause.message}`, 'terminal', {
      cause,
    });
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const encoder = {
    dimension: rows.columns,
    scale: Number(scale.toPrecision(4)),
    ...(transform === 'sqrt' && { transform }),
    projection: { file: basename(output), sha256, offset: true },
  };
  context.print({ file: output, explained, encoder }, () => JSON.stringify(encoder, null, 2));
  if (!context.json) {
    const share = `${(100 * explained).toFixed(1)} %`;
    context.say(
      `${output}: ${components} components keep ${share} of the variance of ${reference}`,
    );
  }
  return 0;
}
