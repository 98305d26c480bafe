import { diagnose } from '../../service/examine/diagnose.js';
import type { Context, ExitCode } from '../context.js';

export async function run(context: Context): Promise<ExitCode> {
  const quiet = context.json || !process.stderr.isTTY;
  const findings = await diagnose(context.settings, {
    environment: process.env,
    now: Date.now,
    signal: context.signal,
    ...(!quiet && { onProgress: context.say }),
  });
  const ok = findings.every((finding) => finding.ok);
  context.print({ ok, findings }, () =>
    findings
      .map(({ name, ok: fine, detail, remedy }) =>
        fine ? `ok    ${name}: ${detail}` : `FAIL  ${name}: ${detail}\n      ${remedy ?? ''}`,
      )
      .join('\n'),
  );
  return ok ? 0 : 1;
}
