import { join } from 'node:path';
import { LegonetError } from '../../errors.js';
import {
  type FileVerification,
  type Level,
  type LevelCheck,
  verifyFile,
} from '../../service/verify-file.js';
import type { Context, ExitCode } from '../context.js';
import { readVerifierKey } from '../vkey.js';

type Options = {
  readonly key: string;
  readonly level?: Level;
  readonly receipt?: string;
  readonly log?: string;
  readonly listing?: string;
  readonly earlier?: readonly string[];
  readonly data?: string;
};

export async function run(context: Context, file: string, options: Options): Promise<ExitCode> {
  const vkey = await readVerifierKey(options.key);
  const { receipt, log, earlier, data } = options;
  // The data come with the listing of the same version.
  const listing = options.listing ?? (data === undefined ? undefined : join(data, 'listing'));
  const level = levelOf({ ...options, ...(listing !== undefined && { listing }) });
  const { engine } = context.settings;
  const asked = { vkey, level, receipt, log, listing, earlier, data, engine };
  const result = await verifyFile(file, asked, context.signal);
  context.print(result, () => report(file, result));
  return result.ok ? 0 : 1;
}

/** The highest for which there is what it needs. Throws `wrong_usage` where more is asked for. */
function levelOf({ level, log, listing, data }: Options): Level {
  const missing = [
    ...(log === undefined ? ['--log'] : []),
    ...(listing === undefined ? ['--listing'] : []),
  ];
  const able = missing.length > 0 ? 1 : data === undefined ? 2 : 3;
  if (level === undefined && missing.length === 2) return 1;
  if ((level ?? 2) <= able) return level ?? able;
  const needs = able === 2 ? ['--data'] : missing;
  throw new LegonetError('wrong_usage', `level ${level ?? 2} needs ${needs.join(' and ')} too`);
}

const TITLES: Readonly<Record<Level, string>> = {
  0: 'Level 0: the signature of the log',
  1: 'Level 1: proofs',
  2: 'Level 2: the log and all training sets, computed again',
  3: 'Level 3: the model, trained again',
};

const MARKS: Readonly<Record<LevelCheck['outcome'], string>> = {
  ok: 'ok    ',
  failed: 'FAILED',
  'not checked': '-     ',
};

function report(
  file: string,
  { kind, ok, level, asked, checks, notShown }: FileVerification,
): string {
  const lines = ([0, 1, 2, 3] as const).flatMap((each) => {
    const own = checks.filter((check) => check.level === each);
    if (own.length === 0) return [];
    return [
      TITLES[each],
      ...own.map(({ name, outcome, detail }) => `  ${MARKS[outcome]} ${name}: ${detail}`),
      '',
    ];
  });
  const reached = level === null ? 'no level' : `level ${level}`;
  const verdict = ok
    ? `${file}: the ${kind} holds, at level ${level}.`
    : `${file}: the ${kind} does NOT hold: asked for level ${asked}, reached ${reached}.`;
  const shown = ['What this does not show:', ...notShown.map((line) => `  - ${line}`)];
  return [...lines, verdict, '', ...shown].join('\n');
}
