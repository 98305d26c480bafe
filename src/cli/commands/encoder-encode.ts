import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { openEncoder } from '../../engine/open-encoder.js';
import { LegonetError } from '../../errors.js';
import { type Encoder, inputForm } from '../../model/encoder.js';
import type { Context, ExitCode } from '../context.js';
import { toSample } from '../encode-rows.js';
import { openInput } from '../input/input.js';
import { readModelFile } from '../model-file.js';
import { npyBytes } from '../npy-bytes.js';
import { createProgress } from '../progress.js';

/** Writes what the encoder of a MODEL.json makes of raw inputs, before it is int8: for a reference set. */
export async function run(
  context: Context,
  model: string,
  path: string,
  { output }: { readonly output: string },
): Promise<ExitCode> {
  const { model: read, files } = await readModelFile(model);
  const encoder = await openEncoder(read, {
    engine: context.settings.engine,
    files: async () => files.encoder ?? { manifest: new Uint8Array(), weights: new Uint8Array() },
  });
  if (!encoder) {
    throw new LegonetError('wrong_usage', `${model}: its encoder is none of raw inputs`);
  }
  const texts = inputForm(read) === 'text';
  const rows = await encodeAll(context, encoder, path, texts).finally(() => encoder.close());
  const { inputDimension: columns } = read.quantiser;
  const values = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    values.set(row, i * columns);
  });
  const bytes = npyBytes(rows.length, columns, values);
  await writeFile(output, bytes).catch((cause) => {
    throw new LegonetError('output_unwritable', `${output}: ${cause.message}`, 'terminal', {
      cause,
    });
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const keys = { kind: 'reference', file: basename(output), sha256 };
  context.print({ file: output, rows: rows.length, keys }, () => JSON.stringify(keys, null, 2));
  return 0;
}

async function encodeAll(
  context: Context,
  encoder: Encoder,
  path: string,
  texts: boolean,
): Promise<ArrayLike<number>[]> {
  const input = await openInput(path, { unlabelled: true, texts });
  const progress = createProgress(`Encoding ${path}`, input.totalBytes, {
    unit: 'bytes',
    quiet: context.json,
  });
  const encoded: ArrayLike<number>[] = [];
  try {
    for await (const { rows, firstRow, bytesRead } of input.batches(context.signal)) {
      const samples = rows.map((row, i) => toSample(row, firstRow + i));
      const inputs = samples.map((sample) => {
        if ('input' in sample) return sample.input;
        throw new LegonetError('input_malformed', `${path}: encodings, not raw inputs`);
      });
      (await encoder.encode(inputs, context.signal)).forEach((one, i) => {
        if (!(one instanceof LegonetError)) encoded.push(one);
        else throw new LegonetError(one.code, `${samples[i]?.sampleId}: ${one.message}`);
      });
      progress.update(bytesRead);
    }
  } finally {
    progress.stop();
  }
  return encoded;
}
