import { readFile } from 'node:fs/promises';
import { LegonetError } from '../../errors.js';
import { openLog } from '../../service/log-source.js';
import { checkGrown, type Grown } from '../../service/monitor.js';
import { replaceFile } from '../../store/kept-file.js';
import { readHead, tileReader } from '../../store/tlog.js';
import type { Context, ExitCode } from '../context.js';
import { withDatabase } from '../stores.js';
import { readVerifierKey } from '../vkey.js';

type Options = {
  readonly since?: string;
  readonly key?: readonly string[];
  readonly log?: string;
  readonly output?: string;
};

export async function run(context: Context, options: Options): Promise<ExitCode> {
  const { since, output } = options;
  if (since === undefined) {
    throw new LegonetError(
      'wrong_usage',
      'audit: expected --since CHECKPOINT, or one of export, listing, data',
    );
  }
  const keys = await Promise.all((options.key ?? []).map(readVerifierKey));
  const kept = await readFile(since, 'utf8').catch((cause) => {
    const reason = `${since}: no such file, or unreadable`;
    throw new LegonetError('input_not_found', reason, 'terminal', { cause });
  });
  const grown =
    options.log === undefined
      ? await ofDatabase(context, kept, keys)
      : await ofPlace(context, options.log, kept, keys);
  if (output !== undefined) await replaceFile(output, grown.checkpoint);
  if (!context.json) context.say(sentence(grown));
  if (context.json || output === undefined) {
    // A note ends with a newline, and so does what is printed.
    context.print(grown, () => grown.checkpoint.slice(0, -1));
  }
  return 0;
}

const sentence = ({ origin, since, size }: Grown): string =>
  size === since
    ? `The log ${origin} has ${size} entries, as it had.`
    : `The log ${origin} has only grown, from ${since} to ${size} entries.`;

async function ofPlace(
  { signal }: Context,
  place: string,
  kept: string,
  keys: readonly string[],
): Promise<Grown> {
  if (keys.length === 0) throw new LegonetError('wrong_usage', 'audit: --log needs --key as well');
  const log = openLog(place, signal);
  return checkGrown(kept, { checkpoint: await log.checkpoint(), tile: log.tile }, keys);
}

/** Of the log in the database, by its own keys if none is given. */
function ofDatabase(context: Context, kept: string, given: readonly string[]): Promise<Grown> {
  return withDatabase(context, async ({ pool }) => {
    const { checkpoint } = await readHead(pool);
    if (checkpoint === null) {
      throw new LegonetError('no_checkpoint', 'the audit log is not signed yet');
    }
    const own = await pool.query<{ vkey: string }>('SELECT vkey FROM tlog_keys ORDER BY ordinal');
    const keys = given.length > 0 ? given : own.rows.map(({ vkey }) => vkey);
    return checkGrown(kept, { checkpoint, tile: tileReader(pool) }, keys);
  });
}
