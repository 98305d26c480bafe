import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LegonetError } from '../../errors.js';
import { type Request, requestDeletions } from '../../service/request-deletions.js';
import { openService } from '../../service/service.js';
import { helpUntilPublished } from '../../service/wait-for-deletion.js';
import { readDeletions, readVersions } from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
import { createLogger } from '../logger.js';
import { withStores } from '../stores.js';

type Options = {
  readonly sample?: string;
  readonly subject?: string;
  readonly file?: string;
  readonly reason?: string;
  readonly requestId?: string;
  readonly wait?: boolean;
};

export async function run(context: Context, options: Options): Promise<ExitCode> {
  const started = performance.now();
  const request = await readRequest(options);
  return withStores<ExitCode>(context, async (stores) => {
    await requestDeletions(stores, request);
    const { requestId } = request;
    if (!options.wait) {
      context.print(
        { requestId, requested: request.targets.length },
        () =>
          `Request ${requestId} is in the log. Follow it with \`legonet deletions ${requestId}\`.`,
      );
      return 0;
    }
    const logger = createLogger({ ...stores.settings, logLevel: 'warn' });
    const open = () => openService({ ...stores, logger });
    await helpUntilPublished(stores, open, request, context.signal);
    const elapsedMs = Math.round(performance.now() - started);
    const deletions = await readDeletions(stores.database.pool, requestId);
    const version = Math.max(...deletions.map((deletion) => deletion.version ?? 0));
    const [published] = await readVersions(stores.database.pool, version);
    const samples = [...new Set(deletions.flatMap((deletion) => deletion.samples))];
    const rebuilt = published?.deletions.includes(requestId) ? published.rebuilt : [];
    const modelDigest = published?.modelDigest ?? null;
    context.print({ requestId, samples, version, modelDigest, rebuilt, elapsedMs }, () =>
      [
        `Request ${requestId}: published without them in version ${version} after ${elapsedMs} ms.`,
        `${samples.length} samples deleted, ${rebuilt.length} adapters rebuilt; digest ${modelDigest}`,
      ].join('\n'),
    );
    return 0;
  });
}

async function readRequest(options: Options): Promise<Request> {
  const { sample, subject, file, reason, requestId = randomUUID() } = options;
  if ([sample, subject, file].filter((given) => given !== undefined).length !== 1) {
    throw new LegonetError('wrong_usage', 'delete: give one of --sample, --subject and --file');
  }
  const kind = subject === undefined ? 'sample' : 'subject';
  const targets = file === undefined ? [sample ?? subject ?? ''] : await readIds(file);
  return { requestId, kind, targets, ...(reason !== undefined && { reason }) };
}

async function readIds(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new LegonetError('input_not_found', `cannot read ${file}`, 'terminal', { cause });
  });
  const ids = [...new Set(text.split(/\r?\n/).filter((line) => line !== ''))];
  if (ids.length === 0) throw new LegonetError('wrong_usage', `${file}: no sample ids in it`);
  return ids;
}
