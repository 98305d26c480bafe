import { openEncoder } from '../../engine/open-encoder.js';
import { LegonetError } from '../../errors.js';
import { loadWasmKernel } from '../../kernel/wasm.js';
import { type Encoder, inputForm } from '../../model/encoder.js';
import type { Kernel } from '../../model/kernel.js';
import type { Model } from '../../model/model.js';
import { predict } from '../../model/predict.js';
import { loadEncoder } from '../../store/encoder.js';
import { requireModel } from '../../store/model.js';
import { loadServedModel, type ServedModel } from '../../store/served-model.js';
import type { Context, ExitCode } from '../context.js';
import { encodeRows, toSample } from '../encode-rows.js';
import { openInput } from '../input/input.js';
import { withDatabase } from '../stores.js';

/** One row's prediction; `expected` where the file says what the label is. */
type Predicted = {
  readonly sampleId: string;
  readonly label: string | null;
  readonly expected?: string;
  readonly scores: Readonly<Record<string, number>>;
  readonly adapters: readonly number[];
};

export async function run(context: Context, file: string): Promise<ExitCode> {
  const { served, predictions } = await withDatabase(context, async (database) => {
    const model = await requireModel(database.pool);
    const inService = await loadServedModel(database, model);
    if (!inService) {
      throw new LegonetError('no_version', 'no version is published yet: run `legonet start`');
    }
    const encoder = await openEncoder(model, {
      engine: context.settings.engine,
      files: (sha256) => loadEncoder(database.pool, sha256),
    });
    const options = { kernel: await loadWasmKernel(), model, encoder, served: inService };
    const predicted = predictFile(context, options, file);
    return { served: inService, predictions: await predicted.finally(() => encoder?.close()) };
  });
  context.print(predictions, () => report(predictions, served));
  return 0;
}

type PredictOptions = {
  readonly kernel: Kernel;
  readonly model: Model;
  readonly encoder: Encoder | null;
  readonly served: ServedModel;
};

async function predictFile(
  { signal }: Context,
  { kernel, model, encoder, served }: PredictOptions,
  file: string,
): Promise<Predicted[]> {
  const labelled = await hasLabels(file, model.quantiser.inputDimension);
  const texts = inputForm(model) === 'text';
  const { classes } = model.configuration;
  const input = await openInput(file, { classes, unlabelled: !labelled, texts });
  const predictions: Predicted[] = [];
  for await (const { rows, firstRow } of input.batches(signal)) {
    const samples = rows.map((row, i) => toSample(row, firstRow + i));
    const encodings = await encodeRows({ model, encoder }, samples, signal);
    const made = predict(kernel, served.model, served.weights, encodings, samples.length);
    made.forEach((prediction, i) => {
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
    });
  }
  return predictions;
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
