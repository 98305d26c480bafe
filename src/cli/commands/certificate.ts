import { toHex } from '../../audit/bytes.js';
import { parseCertificate } from '../../audit/certificate/schema.js';
import { certificateOf } from '../../store/certificates.js';
import type { Context, ExitCode } from '../context.js';
import { checkOutput, writeOutput } from '../output.js';
import { withDatabase } from '../stores.js';

type Options = { readonly sample?: string; readonly output: string };

export async function run(
  context: Context,
  requestId: string,
  { sample, output }: Options,
): Promise<ExitCode> {
  checkOutput('certificate', context, output);
  const text = await withDatabase(context, (database) =>
    certificateOf(database, { requestId, sampleId: sample }),
  );
  const { origin, after, before, erased, request } = parseCertificate(text);
  const summary = {
    requestId,
    // Of a subject's samples the certificate itself names none.
    sampleId: sample ?? (request.kind === 'sample' ? request.target : null),
    origin,
    version: after.version,
    modelDigest: toHex(after.model),
    heldBefore: before !== null,
    erased: erased !== null,
  };
  const say = `The certificate, against version ${after.version},`;
  await writeOutput(context, output, text, { summary, say });
  return 0;
}
