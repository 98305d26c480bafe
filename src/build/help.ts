import { LegonetError } from '../errors.js';
import { type Database, sqlState } from '../store/database.js';
import { Alarm, listen } from '../store/listen.js';
import { type Builder, joinBuilders, type Leadership } from '../store/lock.js';
import { Claims, clearTasks, handIn, readBuild, type SharedBuild } from './tasks.js';
import { type Workshop, workOff } from './work.js';

type Helper = Workshop & {
  readonly database: Database;
  /** Told how many adapters this process has built for another's version. */
  readonly onHelped?: (adapters: number) => void;
  readonly reached?: (point: string) => void;
};

/** How often the lead is asked for; a build to help with announces itself. */
const RETRY_MS = 500;

/**
 * Waits for the lead of those who build, and helps whoever has it until then. Null if the signal aborts
 * first. What is begun at that moment is brought to its end and handed in.
 */
export async function leadOrHelp(helper: Helper, signal: AbortSignal): Promise<Leadership | null> {
  while (!signal.aborted) {
    const builder = await joinBuilders(helper.database.url, signal);
    if (!builder) break;
    let leads = false;
    try {
      leads = (await builder.lead()) || (await helpUntilLeading(helper, builder, signal));
    } finally {
      if (!leads) await builder.release();
    }
    if (leads) return builder;
  }
  return null;
}

/** False when the signal aborts or the connection breaks. */
async function helpUntilLeading(
  helper: Helper,
  { lead, lost }: Builder,
  signal: AbortSignal,
): Promise<boolean> {
  const alarm = new Alarm();
  const ended = new AbortController();
  const present = AbortSignal.any([signal, lost]);
  const listening = listen(
    helper.database.url,
    ['legonet_build'],
    alarm.wake,
    AbortSignal.any([present, ended.signal]),
  );
  let over: string | null = null;
  try {
    while (!present.aborted) {
      const build = await readBuild(helper.database);
      if (build && build.id !== over && !(await help(helper, build, present))) over = build.id;
      if (present.aborted) break;
      if (await lead()) return true;
      await alarm.wait(RETRY_MS, present);
    }
    return false;
  } finally {
    ended.abort();
    await listening;
  }
}

/** Builds what is there to be taken. False if the build is over: its leader has committed, or died. */
async function help(helper: Helper, build: SharedBuild, signal: AbortSignal): Promise<boolean> {
  const { database, compute, onHelped = () => {}, reached = () => {} } = helper;
  // First the threads: a task that waits for one keeps the version waiting.
  await Promise.all(Array.from({ length: compute.parallel }, () => compute.ready()));
  const claims = await Claims.open(database, build);
  let built = 0;
  try {
    await workOff(
      helper,
      build,
      claims,
      {
        taken: () => reached('help.taken'),
        done: async (adapter, result) => {
          reached('help.built');
          await handIn(database, build, adapter, result, claims.builder);
          built += 1;
          reached('help.handed-in');
        },
      },
      signal,
    );
    return true;
  } catch (error) {
    if (!isOver(error)) throw error;
    return false;
  } finally {
    await claims.close();
    if (built > 0) onHelped(built);
    await clearTasks(database.pool);
  }
}

/** The snapshot could not be imported any more, or the result came too late. */
function isOver(error: unknown): boolean {
  if (error instanceof LegonetError) return error.code === 'snapshot_gone';
  return sqlState(error) === '23503';
}
