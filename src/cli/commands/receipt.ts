import { parseReceipt } from '../../audit/certificate/receipt.js';
import { receiptOf } from '../../store/receipts.js';
import type { Context, ExitCode } from '../context.js';
import { checkOutput, writeOutput } from '../output.js';
import { withDatabase } from '../stores.js';

type Options = { readonly output: string };

export async function run(
  context: Context,
  sampleId: string,
  { output }: Options,
): Promise<ExitCode> {
  checkOutput('receipt', context, output);
  const text = await withDatabase(context, (database) => receiptOf(database, sampleId));
  const { origin, index, adapters } = parseReceipt(text);
  const summary = { sampleId, origin, index, adapters };
  await writeOutput(context, output, text, { summary, say: `The receipt of ${sampleId}` });
  return 0;
}
