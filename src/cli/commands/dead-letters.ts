import { LegonetError } from '../../errors.js';
import { redrive } from '../../service/redrive.js';
import { type DeadLetter, readDeadLetters, skipLetter } from '../../store/dead-letters.js';
import type { Context, ExitCode } from '../context.js';
import { withStores } from '../stores.js';

type Options = { readonly redrive?: readonly string[]; readonly skip?: string };

export async function run(context: Context, options: Options): Promise<ExitCode> {
  return withStores(context, async (stores) => {
    const { pool } = stores.database;
    if (options.skip !== undefined) await skipLetter(pool, letterId(options.skip));
    const wanted = options.redrive ?? [];
    const all = wanted.includes('all') ? await readDeadLetters(pool) : null;
    const ids = all
      ? all.filter(({ stopping }) => !stopping).map(({ id }) => id)
      : wanted.map(letterId);
    let refused = 0;
    for (const id of ids) {
      try {
        await redrive(stores, id);
      } catch (error) {
        // One that cannot be redriven must not keep the others.
        if (!(error instanceof LegonetError) || error.retry !== 'terminal') throw error;
        context.say(error.message);
        refused++;
      }
    }
    if (ids.length > 0) context.say(`${ids.length - refused} put into the log again`);
    const letters = (await readDeadLetters(pool)).map(report);
    context.print(letters, () =>
      letters.length === 0 ? 'No dead letters.' : letters.map(describe).join('\n'),
    );
    return refused > 0 ? 1 : 0;
  });
}

/** As scripts rely on it: the position in one text. */
function report({ partition, position, ...letter }: DeadLetter) {
  return { ...letter, position: `${partition}:${position}` };
}

function describe({ id, code, reason, position, stopping }: ReturnType<typeof report>): string {
  return `${id}  at ${position}  ${code}: ${reason}${stopping ? '  STOPS ITS PARTITION' : ''}`;
}

function letterId(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new LegonetError('wrong_usage', `"${text}": expected a dead letter's id`);
}
