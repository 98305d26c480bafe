import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { LegonetError } from '../errors.js';
import { packageVersion } from '../store/package-version.js';
import { type Action, type Add, example, JSON_FLAG } from './add.js';
import { addAuditCommands } from './audit-commands.js';
import { createContext } from './context.js';
import { addEncoderCommands } from './encoder-commands.js';
import { addProofCommands } from './proof-commands.js';
import { stopSignal } from './signals.js';

/*
 * The whole command line in one place. A command's code is loaded when it runs, so that `--help`
 * answers at once.
 */

type Result = { code: number };

const DESCRIPTION = `Keeps a LegoNet classifier in step with samples ingested and deleted, exactly:
after every deletion the model is bit for bit the one that never saw the sample.`;

const SETTINGS = `
Settings come from the environment:
  LEGONET_DATA_DIR (.legonet)   where the embedded database lives
  DATABASE_URL                  a PostgreSQL server of your own, instead
  LEGONET_MODEL                 MODEL.json to start with
  LEGONET_BUILD_DELAY_MS (1000) how long ingests wait for company; deletions do not
  LEGONET_HTTP_PORT (7070)      where HTTP is served; 0 for any free port
  LEGONET_HTTP_HOST (127.0.0.1) on which address; beyond loopback with tokens only
  LEGONET_TOKENS_FILE           who may do what over HTTP
  LOG_LEVEL (info)              trace, debug, info, warn, error, fatal, silent

Exit codes: 0 done, 1 a check or operation failed, 2 wrong usage.`;

/** Runs one command line; returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const result: Result = { code: 0 };
  const program = createProgram(result);
  try {
    await program.parseAsync(args, { from: 'user' });
    return result.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return explain(error);
  }
}

function explain(error: unknown): number {
  const known = error instanceof LegonetError;
  if (error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('legonet: stopped before it was done\n');
    return 1;
  }
  const verbose = ['debug', 'trace'].includes(process.env.LOG_LEVEL ?? '');
  const text = known ? `${error.message} [${error.code}]` : `${error} (LOG_LEVEL=debug says more)`;
  const stack = verbose && error instanceof Error ? `\n${error.stack}` : '';
  process.stderr.write(`legonet: ${text}${stack}\n`);
  return known && ['invalid_setting', 'wrong_usage'].includes(error.code) ? 2 : 1;
}

function createProgram(result: Result): Command {
  const program = new Command('legonet')
    .description(DESCRIPTION)
    .version(packageVersion())
    .showHelpAfterError('(see `legonet --help`, or `legonet help COMMAND`)')
    .addHelpText('after', SETTINGS)
    .exitOverride();
  const below =
    (parent: Command): Add =>
    (name, summary, load) =>
      parent
        .command(name)
        .description(summary)
        .action(async (...given: unknown[]) => {
          result.code = await runAction(load, given);
        });
  const add = below(program);
  addServiceCommands(add);
  addEventCommands(add);
  addQueryCommands(add);
  addProofCommands(add);
  addRepairCommands(add);
  addAuditCommands(add, below);
  addEncoderCommands(program, below);
  return program;
}

/** `given`: arguments, options, and the command itself. */
async function runAction(load: () => Promise<{ run: Action }>, given: unknown[]): Promise<number> {
  const options = given.at(-2) as { json?: boolean };
  const say = (text: string) => void process.stderr.write(`${text}\n`);
  const signal = stopSignal(say);
  // Loaded here, like the command: --help needs neither.
  const { readSettings } = await import('../settings.js');
  const context = createContext(readSettings(process.env), options, signal);
  const { run: action } = await load();
  return action(context, ...(given.slice(0, -1) as never[]));
}

function addServiceCommands(add: Add): void {
  add('start', 'run: project, build, publish, serve', () => import('./commands/start.js'))
    .option('--demo', 'stream the digits, delete some, and check that the deletions are exact')
    .option('--once', 'catch up, publish and exit')
    .option('--roles <list>', 'which of project, build, publish, serve to run (default: all)')
    .addHelpText('after', example('start --demo --once', 'LEGONET_MODEL=MODEL.json legonet start'));
  add('init <MODEL.json>', 'create the model', () => import('./commands/init.js'))
    .option(...JSON_FLAG)
    .addHelpText('after', example('init examples/digits/MODEL.json'));
}

function addEventCommands(add: Add): void {
  add(
    'ingest <PATH...>',
    'samples in files or folders to events',
    () => import('./commands/ingest.js'),
  )
    .option(
      '--labels <file>',
      'labels: of a .npy, a .npy of class indices or text, one a line; of a folder, a CSV',
    )
    .option('--id-prefix <text>', "of sample ids (default: the file's or folder's name)")
    .option('--limit <rows>', 'take only so many rows of each file', count)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Files: .csv[.gz] with a header (sampleId, subjectId, label; all other columns are the encoding) or
without one (numbers, then the label); .ndjson[.gz], one event a line; .npy with --labels.
Folders: PNG, JPEG and WebP, labelled by the folder of the first level that they are in, or by a CSV with
the columns file, label and perhaps subject. What was interrupted is gone on with; what is ingested again
changes nothing.
${example(
  'ingest samples.csv.gz',
  'ingest encodings.npy --labels labels.npy',
  'ingest photos --labels photos.csv',
)}`,
    );
  add('delete', 'delete samples, or all samples of a subject', () => import('./commands/delete.js'))
    .option('--sample <id>', 'one sample')
    .option('--subject <id>', 'all samples of a data subject')
    .option('--file <ids>', 'samples whose ids are in a file, one a line')
    .option('--reason <text>', 'why, for the record')
    .option('--request-id <id>', 'your own name for the request')
    .option('--wait', 'until the version without them is published')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      example('delete --subject writer-001 --reason "consent withdrawn" --wait'),
    );
}

function addQueryCommands(add: Add): void {
  const query = (
    name: string,
    summary: string,
    shown: string,
    load: () => Promise<{ run: Action }>,
  ) =>
    add(name, summary, load)
      .option(...JSON_FLAG)
      .addHelpText('after', example(shown));
  query(
    'status',
    'the version in service, and what waits',
    'status --json',
    () => import('./commands/status.js'),
  );
  query(
    'versions [N]',
    'all versions, or one',
    'versions 3',
    () => import('./commands/versions.js'),
  );
  query(
    'sample <ID>',
    'is it retained, and in which adapters',
    'sample digit-0001',
    () => import('./commands/sample.js'),
  );
  query(
    'adapter <J>',
    'its members, weights and version',
    'adapter 7',
    () => import('./commands/adapter.js'),
  );
  query(
    'deletions [ID]',
    'requests, and the versions that apply them',
    'deletions --json',
    () => import('./commands/deletions.js'),
  );
  query(
    'predict <PATH>',
    'labels and scores of samples',
    'predict samples.csv.gz',
    () => import('./commands/predict.js'),
  );
}

function addRepairCommands(add: Add): void {
  add('rebuild', 'build anew from the retained samples', () => import('./commands/rebuild.js'))
    .requiredOption('--from-scratch', 'in memory, without anything that was built before')
    .option('--check', 'fail unless it is, bit for bit, the version in service')
    .option(...JSON_FLAG)
    .addHelpText('after', example('rebuild --from-scratch --check'));
  add('replay', 'project the whole log again', () => import('./commands/replay.js'))
    .option('--from-log', 'from the log alone, as it always does')
    .option(...JSON_FLAG)
    .addHelpText('after', example('replay'));
  add('dead-letters', 'what could not be applied, why', () => import('./commands/dead-letters.js'))
    .option('--redrive <ids...>', 'put them into the log again (`all` for every one)')
    .option('--skip <id>', 'go past a deletion that stops its partition')
    .option(...JSON_FLAG)
    .addHelpText('after', example('dead-letters --redrive 3 4', 'dead-letters --redrive all'));
  add('doctor', 'look for trouble, and say what to do', () => import('./commands/doctor.js'))
    .option(...JSON_FLAG)
    .addHelpText('after', example('doctor'));
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number');
}
