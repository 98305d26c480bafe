import { LegonetError } from '../../errors.js';
import { catchUp } from '../../service/catch-up.js';
import type { Stores } from '../../service/open.js';
import { ROLES, type Role, runRole } from '../../service/roles.js';
import { openService, type Service } from '../../service/service.js';
import { loadModel, saveModel } from '../../store/model.js';
import type { Context, ExitCode } from '../context.js';
import { createLogger } from '../logger.js';
import { readModelFile } from '../model-file.js';
import { createProgress } from '../progress.js';
import { withStores } from '../stores.js';

type Options = { readonly demo?: boolean; readonly once?: boolean; readonly roles: string };

export async function run(context: Context, options: Options): Promise<ExitCode> {
  const roles = parseRoles(options.roles);
  return withStores(context, async (stores) => {
    const { demo, DIGITS_MODEL } = await import('../demo/demo.js');
    await ensureModel(context, stores, options.demo ? DIGITS_MODEL : undefined);
    const logLevel = options.demo ? 'warn' : stores.settings.logLevel;
    const service = await openService({ ...stores, logger: createLogger({ logLevel }) });
    try {
      if (options.demo) {
        const passed = await demo(context, service);
        if (!passed) return 1;
      }
      if (options.once) await runOnce(context, service);
      else await runAlways(context, service, roles);
    } finally {
      await service.close();
    }
    return 0;
  });
}

function parseRoles(list: string): Role[] {
  const names = list.split(',').map((name) => name.trim());
  const roles = ROLES.filter((role) => names.includes(role));
  const unknown = names.find((name) => !ROLES.some((role) => role === name));
  if (unknown === undefined && roles.length > 0) return roles;
  throw new LegonetError('wrong_usage', `--roles: "${unknown}" is none of ${ROLES.join(', ')}`);
}

async function ensureModel(
  { settings }: Context,
  { database }: Stores,
  demoModel: string | undefined,
): Promise<void> {
  const path = settings.model ?? demoModel;
  if (path !== undefined) {
    const { model, files } = await readModelFile(path);
    await saveModel(database, model, files);
  } else if (!(await loadModel(database.pool))) {
    throw new LegonetError(
      'no_model',
      'no model yet: create one with `legonet init MODEL.json`, or set LEGONET_MODEL',
    );
  }
}

async function runOnce(context: Context, service: Service): Promise<void> {
  const quiet = !process.stderr.isTTY;
  let progress: ReturnType<typeof createProgress> | undefined;
  const onAdapter = (done: number, total: number) => {
    progress ??= createProgress('Building adapters', total, { unit: 'adapters', quiet });
    progress.update(done);
    if (done < total) return;
    progress.stop();
    progress = undefined;
  };
  await catchUp({ ...service, onAdapter }, context.signal);
}

async function runAlways(
  { signal }: Context,
  service: Service,
  roles: readonly Role[],
): Promise<void> {
  const { logger, model, settings } = service;
  const place = settings.databaseUrl ? 'DATABASE_URL' : settings.dataDir;
  logger.info({ model: model.configuration.name, roles, place }, 'running');
  await Promise.all(
    roles.map((role) =>
      runRole(service, role, signal, (failed, error) => {
        const code = error instanceof LegonetError ? error.code : undefined;
        logger.error({ role: failed, code, err: error }, 'role failed; it is taken up again');
      }),
    ),
  );
  logger.info('stopped');
}
