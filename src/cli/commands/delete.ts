import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LegonetError } from '../../errors.js';
import { id, sampleId } from '../../events/schemas.js';
import type { Stores } from '../../log/open.js';
import { type Request, requestDeletions } from '../../service/request-deletions.js';
import { helpUntilPublished } from '../../service/wait-for-deletion.js';
import type { WrittenCertificates } from '../../service/write-certificates.js';
import {
  type DeletionReport,
  readDeletions,
  readVersions,
  type VersionRow,
} from '../../store/audit.js';
import type { Context, ExitCode } from '../context.js';
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
  const request = await readRequest(options);
  return withStores<ExitCode>(context, async (stores) => {
    const places = await requestDeletions(stores, request);
    const { requestId } = request;
    if (!options.wait) {
      context.print(
        { requestId, requested: request.targets.length },
        () =>
          `Request ${requestId} is in the log. Follow it with \`legonet deletions ${requestId}\`.`,
      );
      return 0;
    }
    const publishedAt = await helpUntilPublished(
      stores,
      () => openQuickService(stores),
      { ...request, places },
      context.signal,
    );
    const directory = join(context.settings.dataDir, 'certificates');
    // Loaded after the deletion: it shall not wait for that.
    const { writeCertificates } = await import('../../service/write-certificates.js');
    const written = await writeCertificates(stores.database, directory, requestId, context.signal);
    const deletions = await readDeletions(stores.database.pool, requestId);
    const version = Math.max(...deletions.map((deletion) => deletion.version ?? 0));
    const [published] = await readVersions(stores.database.pool, version);
    // Since the start of the process: what whoever typed the command has waited.
    report(context, requestId, { deletions, published, written }, Math.round(publishedAt));
    return 0;
  });
}

/** Loaded only where no `legonet start` does the work: it takes longer than the deletion itself. */
async function openQuickService(stores: Stores) {
  const { openService } = await import('../../service/service.js');
  const { quickCompute } = await import('../../service/quick-compute.js');
  const { createLogger } = await import('../logger.js');
  const logger = await createLogger({ logLevel: 'warn' });
  return openService({ ...stores, logger }, quickCompute);
}

type Outcome = {
  readonly deletions: readonly DeletionReport[];
  readonly published: VersionRow | undefined;
  readonly written: WrittenCertificates;
};

function report(
  context: Context,
  requestId: string,
  { deletions, published, written }: Outcome,
  elapsedMs: number,
): void {
  const samples = [...new Set(deletions.flatMap((deletion) => deletion.samples))];
  const removed = deletions.reduce((sum, deletion) => sum + deletion.removed, 0);
  const { version = null, modelDigest = null } = published ?? {};
  const rebuilt = published?.deletions.includes(requestId) ? published.rebuilt : [];
  const { files: certificates, left } = written;
  const result = {
    ...{ requestId, samples, removed, version, modelDigest, rebuilt, elapsedMs },
    ...{ certificates, certificatesLeft: left },
  };
  context.print(result, () =>
    [
      removed > 0
        ? `Request ${requestId}: ${removed} samples deleted, ${rebuilt.length} adapters rebuilt.`
        : `Request ${requestId}: no such sample is retained; should one arrive, it is refused.`,
      `Version ${version} is published without them, ${elapsedMs} ms after the command; digest ${modelDigest}`,
      ...certificates.map((file) => `Certificate: ${file}`),
      ...(left > 0
        ? [`${left} more: \`legonet certificate ${requestId} --sample SAMPLE -o FILE\``]
        : []),
    ].join('\n'),
  );
}

async function readRequest(options: Options): Promise<Request> {
  const { sample, subject, file, reason, requestId = randomUUID() } = options;
  if ([sample, subject, file].filter((given) => given !== undefined).length !== 1) {
    throw new LegonetError('wrong_usage', 'delete: give one of --sample, --subject and --file');
  }
  const kind = subject === undefined ? 'sample' : 'subject';
  const targets = file === undefined ? [sample ?? subject ?? ''] : await readIds(file);
  targets.forEach((target, i) => {
    const where = file === undefined ? `--${kind}` : `${file}: id ${i + 1}`;
    checkId(kind === 'sample' ? sampleId : id, target, where);
  });
  checkId(id, requestId, '--request-id');
  return { requestId, kind, targets, ...(reason !== undefined && { reason }) };
}

/** Throws `wrong_usage`, before anything is asked for. */
function checkId(schema: typeof id, value: string, where: string): void {
  const { success, error } = schema.safeParse(value);
  if (!success) throw new LegonetError('wrong_usage', `${where}: ${error.issues[0]?.message}`);
}

async function readIds(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new LegonetError('input_not_found', `cannot read ${file}`, 'terminal', { cause });
  });
  const ids = [
    ...new Set(
      text
        .replace(/^\ufeff/, '')
        .split(/\r?\n/)
        .filter((line) => line !== ''),
    ),
  ];
  if (ids.length === 0) throw new LegonetError('wrong_usage', `${file}: no sample ids in it`);
  return ids;
}
