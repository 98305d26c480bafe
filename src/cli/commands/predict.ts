import { LegonetError } from '../../errors.js';
import { loadWasmKernel } from '../../kernel/wasm.js';
import type { Kernel } from '../../model/kernel.js';
import type { Model } from '../../model/model.js';
import { predict } from '../../model/predict.js';
import { requireModel } from '../../store/model.js';
import { loadServedModel, type ServedModel } from '../../store/served-model.js';
import type { Context, ExitCode } from '../context.js';
import { openInput } from '../input/input.js';
import type { InputRow } from '../input/rows.js';
import { withDatabase } from '../stores.js';
import { toInt8Encoding } from '../to-record.js';

type Sample = Extract<InputRow, { kind: 'sample' }>;

/** One row's prediction; `expected` where the file says what the label is. */
type Predicted = {
  readonly sampleId: string;
  readonly label: string | null;
  readonly expected?: string;
  readonly scores: Readonly<Record<string, number>>;
  readonly adapters: readonly number[];
};

export async function run(context: Context, file: string): Promise<ExitCode> {
  const { model, served } = await withDatabase(context, async (database) => {
    const known = await requireModel(database.pool);
    return { model: known, served: await loadServedModel(database, known) };
  });
  if (!served) {
    throw new LegonetError('no_version', 'no version is published yet: run `legonet start`');
  }
  const predictions = await predictFile(context, await loadWasmKernel(), model, served, file);
  context.print(predictions, () => report(predictions, served));
  return 0;
}

async function predictFile(
  { signal }: Context,
  kernel: Kernel,
  model: Model,
  served: ServedModel,
  file: string,
): Promise<Predicted[]> {
  const labelled = await hasLabels(file, model.quantiser.inputDimension);
  const input = await openInput(file, { unlabelled: !labelled });
  const predictions: Predicted[] = [];
  for await (const { rows } of input.batches(signal)) {
    const samples = rows.map(asSample);
    const { dimension } = model.shape;
    const encodings = new Int8Array(samples.length * dimension);
    samples.forEach((row, i) => {
      encodings.set(toInt8Encoding(model.quantiser, row.encoding), i * dimension);
    });
    predict(kernel, served.model, served.weights, encodings, samples.length).forEach(
      (prediction, i) => {
        const { sampleId = '', label: expected } = samples[i] ?? {};
        predictions.push({
          sampleId,
          label: prediction.label,
          ...(typeof expected === 'string' && { expected }),
          scores: Object.fromEntries(
            model.configuration.classes.map((name, c) => [name, prediction.scores[c] ?? 0]),
          ),
          adapters: prediction.adapters,
        });
      },
    );
  }
  return predictions;
}

function asSample(row: InputRow): Sample {
  if (row.kind === 'sample') return row;
  const reason = row.kind === 'bad' ? `row ${row.row}: ${row.reason}` : 'events, not samples';
  throw new LegonetError('input_malformed', `cannot predict: ${reason}`);
}

/** A CSV without header has its labels in one more column than the model takes numbers. */
async function hasLabels(file: string, dimension: number): Promise<boolean> {
  const probe = await openInput(file, { unlabelled: true, limit: 1 });
  if (probe.format !== 'csv') return false;
  for await (const { rows } of probe.batches()) {
    const [row] = rows;
    return row?.kind === 'sample' && row.label === null && row.encoding.length === dimension + 1;
  }
  return false;
}

function report(predictions: readonly Predicted[], { version }: ServedModel): string {
  const lines = predictions.map(({ sampleId, label, expected, scores }) => {
    const best = label === null ? '' : ` (${(scores[label] ?? 0).toFixed(3)})`;
    const wrong = expected !== undefined && expected !== label ? `, is ${expected}` : '';
    return `${sampleId}: ${label ?? 'unknown: its adapters have no members'}${best}${wrong}`;
  });
  const known = predictions.filter(({ expected }) => expected !== undefined);
  if (known.length === 0) return [...lines, `Version ${version}`].join('\n');
  const right = known.filter(({ label, expected }) => label === expected).length;
  const accuracy = ((100 * right) / known.length).toFixed(2);
  return [...lines, `Version ${version}: ${right} of ${known.length} right (${accuracy} %)`].join(
    '\n',
  );
}
