import { LegonetError } from '../../errors.js';
import type { OnLogLine, Stores } from '../../log/open.js';
import { checkAccess } from '../../serve/access.js';
import { catchUp } from '../../service/catch-up.js';
import { ALL_ROLES, ROLES, runRole } from '../../service/roles.js';
import { createInsight, runServe } from '../../service/serve.js';
import { openService, type Service } from '../../service/service.js';
import { loadModel } from '../../store/model.js';
import { readStatus } from '../../store/status.js';
import type { Context, ExitCode } from '../context.js';
import { createLogger } from '../logger.js';
import { readModelFile } from '../model-file.js';
import { createProgress } from '../progress.js';
import { putInForce } from '../put-in-force.js';
import { withStores } from '../stores.js';

type AnyRole = (typeof ALL_ROLES)[number];
type Options = { readonly demo?: boolean; readonly once?: boolean; readonly roles?: string };

export async function run(context: Context, options: Options): Promise<ExitCode> {
  const roles = options.roles === undefined ? ALL_ROLES : parseRoles(options.roles);
  if (options.once && options.roles !== undefined) {
    throw new LegonetError('wrong_usage', 'start: --once runs every role, so leave --roles out');
  }
  // Nobody is served by mistake: this is found out before anything starts.
  if (!options.once && roles.includes('serve')) await checkAccess(context.settings);
  const logLevel = options.demo ? 'warn' : context.settings.logLevel;
  const logger = await createLogger({ logLevel });
  const onLog: OnLogLine = ({ level, message, about }) => {
    if (level === 'error') logger.error({ event: 'kafka', ...about }, message);
    else logger.warn({ event: 'kafka', ...about }, message);
  };
  const work = async (stores: Stores) => {
    const show = options.demo ? await import('../demo/demo.js') : undefined;
    await ensureModel(stores, show?.DIGITS_MODEL ?? stores.settings.model);
    const service = await openService({ ...stores, logger });
    try {
      if (show && !(await show.demo(context, service))) return 1;
      if (options.once) await runOnce(context, service, show === undefined);
      else await runAlways(context, service, roles, show !== undefined);
    } finally {
      await service.close();
    }
    return 0;
  };
  return withStores<ExitCode>(context, work, onLog);
}

function parseRoles(list: string): AnyRole[] {
  const names = list.split(',').map((name) => name.trim());
  const roles = ALL_ROLES.filter((role) => names.includes(role));
  const unknown = names.find((name) => !ALL_ROLES.some((role) => role === name));
  if (unknown === undefined && roles.length > 0) return roles;
  throw new LegonetError('wrong_usage', `--roles: "${unknown}" is none of ${ALL_ROLES.join(', ')}`);
}

async function ensureModel(
  { database, settings }: Stores,
  path: string | undefined,
): Promise<void> {
  if (path !== undefined) {
    await putInForce(await readModelFile(path), database, settings.engine);
  } else if (!(await loadModel(database.pool))) {
    throw new LegonetError(
      'no_model',
      'no model yet: create one with `legonet init MODEL.json`, or set LEGONET_MODEL',
    );
  }
}

async function runOnce(context: Context, service: Service, tell: boolean): Promise<void> {
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
  context.signal.throwIfAborted();
  if (!tell) return;
  const { version, modelDigest, retained } = await readStatus(service.database.pool);
  context.print({ version, modelDigest, retained }, () =>
    version === null
      ? 'Nothing to build yet: the log is empty.'
      : `Version ${version} is in service: ${retained} samples, digest ${modelDigest}`,
  );
}

async function runAlways(
  { signal, say }: Context,
  service: Service,
  all: readonly AnyRole[],
  quiet: boolean,
): Promise<void> {
  const { logger, model, settings } = service;
  const place = settings.databaseUrl ? 'DATABASE_URL' : settings.dataDir;
  const { name } = model.configuration;
  logger.info({ event: 'service_started', model: name, roles: all, place }, 'running');
  const onFailure = (role: AnyRole, error: unknown) => {
    const code = error instanceof LegonetError ? error.code : undefined;
    const event = 'role_failed';
    logger.error({ event, role, code, err: error }, 'role failed; it is taken up again');
  };
  const roles = ROLES.filter((role) => all.includes(role));
  const insight = all.includes('serve') ? createInsight(service, roles) : undefined;
  const observed = { ...service, ...(insight && { observe: insight.observe }) };
  await Promise.all([
    ...roles.map((role) => runRole(observed, role, signal, onFailure)),
    insight &&
      runServe(service, insight, signal, {
        alone: roles.length === 0,
        onFailure: (error) => onFailure('serve', error),
        ...(quiet && { onListening: (url: string) => say(`HTTP is served at ${url}`) }),
      }),
  ]);
  logger.info({ event: 'service_stopped' }, 'stopped');
}
