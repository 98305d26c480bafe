import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { legonet, startLegonet } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'legonet-test-usage-'));
const environment = { LEGONET_DATA_DIR: join(folder, 'never-made') };
afterAll(() => rmSync(folder, { recursive: true }));

const COMMANDS = [
  'start',
  'init',
  'ingest',
  'delete',
  'status',
  'versions',
  'sample',
  'adapter',
  'deletions',
  'predict',
  'rebuild',
  'replay',
  'dead-letters',
  'doctor',
  'verify',
  'audit',
];

test('every command is in the help, and has a help of its own with an example', async () => {
  const { code, stdout } = await legonet(['--help'], environment);
  expect(code).toBe(0);
  for (const command of COMMANDS) {
    expect(stdout).toContain(`  ${command} `);
    const help = await legonet([command, '--help'], environment);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain(`Usage: legonet ${command}`);
    expect(help.stdout).toMatch(/For example:\n.*legonet /);
  }
});

test('help loads none of the modules that the work needs', async () => {
  const tracer = join(folder, 'tracer.mjs');
  // Told by the loader of every file that it opens, CommonJS and ES modules alike.
  writeFileSync(
    tracer,
    `import { register } from 'node:module';
     register('data:text/javascript,' + encodeURIComponent(\`
       import { writeSync } from 'node:fs';
       export async function resolve(specifier, context, next) {
         const found = await next(specifier, context);
         writeSync(2, found.url + '\\\\n');
         return found;
       }\`));`,
  );
  const { code, stderr } = await startLegonet(['--help'], environment, ['--import', tracer]).ended;
  expect(code).toBe(0);
  expect(stderr).toContain('node_modules/commander/');
  expect(stderr).not.toMatch(/node_modules\/(?!commander\/)/);
});

const empty = join(folder, 'empty.txt');
writeFileSync(empty, '\n\r\n');
const bad = join(folder, 'bad.txt');
writeFileSync(bad, 'good-1\nsubject:x\n');

test.each([
  ['no command', [], {}],
  ['an unknown command', ['statu'], {}],
  ['an unknown option', ['status', '--bogus'], {}],
  ['a missing argument', ['sample'], {}],
  ['one argument too many', ['status', 'now'], {}],
  ['a version that is no number', ['versions', 'x'], {}],
  ['an adapter that is no number', ['adapter', '1.5'], {}],
  ['nothing to delete', ['delete'], {}],
  ['two things to delete', ['delete', '--sample', 'a', '--subject', 'b'], {}],
  ['an empty sample id', ['delete', '--sample', ''], {}],
  ['a sample id that looks like a subject', ['delete', '--sample', 'subject:a'], {}],
  ['an empty request id', ['delete', '--sample', 'a', '--request-id', ''], {}],
  ['a file without ids', ['delete', '--file', empty], {}],
  ['a file with an id that cannot be one', ['delete', '--file', bad], {}],
  ['a limit that is no number', ['ingest', 'x.csv', '--limit', 'ten'], {}],
  ['an unknown role', ['start', '--roles', 'project,serve-tea'], {}],
  ['roles of a single run', ['start', '--once', '--roles', 'build'], {}],
  ['a rebuild from something', ['rebuild'], {}],
  ['a dead letter that is no number', ['dead-letters', '--skip', 'x'], {}],
  ['a delay that is no number', ['status'], { LEGONET_BUILD_DELAY_MS: 'abc' }],
  ['an unknown log level', ['status'], { LOG_LEVEL: 'loud' }],
  ['another kind of database', ['status'], { DATABASE_URL: 'mysql://localhost/x' }],
  ['a secret that cannot be read', ['status'], { DATABASE_URL_FILE: join(folder, 'none') }],
])('wrong usage ends with 2, a reason and an empty stdout: %s', async (_, args, settings) => {
  const { code, stdout, stderr } = await legonet(args, { ...environment, ...settings });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toBe('');
  expect(stderr).not.toMatch(/\n {4}at |undefined|NaN/);
});

test('a command that is nearly right is told which one was meant', async () => {
  expect((await legonet(['statu'], environment)).stderr).toContain('Did you mean status?');
});

test('a database that cannot be reached is named, without its password', async () => {
  const settings = { DATABASE_URL: 'postgres://somebody:secret@127.0.0.1:1/nothing' };
  const { code, stdout, stderr } = await legonet(['status', '--json'], settings);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('DATABASE_URL at 127.0.0.1:1/nothing');
  expect(stderr).not.toContain('secret');
});

test('a data directory that is a file is named', async () => {
  const { code, stderr } = await legonet(['status'], { LEGONET_DATA_DIR: empty });
  expect(code).toBe(1);
  expect(stderr).toContain(empty);
});
