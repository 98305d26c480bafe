import { openPinned } from '../../engine/trainer.js';
import { LegonetError } from '../../errors.js';
import { loadWasmKernel } from '../../kernel/wasm.js';
import { pinBackend } from '../../service/backend.js';
import { buildFromScratch } from '../../service/from-scratch.js';
import { requireModel } from '../../store/model.js';
import type { Context, ExitCode } from '../context.js';
import { createProgress } from '../progress.js';
import { withDatabase } from '../stores.js';

export async function run(
  context: Context,
  { check = false }: { readonly check?: boolean },
): Promise<ExitCode> {
  const built = await withDatabase(context, async (database) => {
    const model = await requireModel(database.pool);
    const { adapters } = model.configuration;
    const { engine } = context.settings;
    const pinned = await pinBackend(database, model, engine);
    const trainer = pinned && (await openPinned(engine, pinned));
    const options = { unit: 'adapters', quiet: context.json };
    const progress = createProgress('Building from scratch', adapters, options);
    try {
      const kernel = await loadWasmKernel();
      const { signal } = context;
      return await buildFromScratch(database, kernel, model, signal, progress.update, trainer);
    } finally {
      progress.stop();
    }
  });
  const { modelDigest, samples, published, behind } = built;
  if (check && !published) {
    throw new LegonetError('no_version', 'no version to compare with yet: run `legonet start`');
  }
  const equal = published?.modelDigest === modelDigest;
  const version = published?.version ?? null;
  const result = {
    modelDigest,
    published: published?.modelDigest ?? null,
    equal,
    version,
    samples,
  };
  context.print({ ...result, behind }, () => {
    const lines = [`From ${samples} retained samples alone: ${modelDigest}`];
    if (!published) return lines.join('\n');
    lines.push(`Version ${version} in service:             ${published.modelDigest}`);
    if (equal) lines.push('Equal: bit for bit the same model.');
    else if (behind) lines.push('Samples have changed since that version: wait for the next one.');
    else lines.push('NOT EQUAL: see `legonet doctor`.');
    return lines.join('\n');
  });
  return check && !equal ? 1 : 0;
}
