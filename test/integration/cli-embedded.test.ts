import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectEmbeddedPostgres } from '#src/store/embedded/inspect.js';
import { DIGITS, legonet, legonetJson, startLegonet } from '../support/cli.js';
import { contract } from '../support/contract.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';

let folder: string;
let environment: Record<string, string>;
beforeEach(async () => {
  folder = await temporaryDirectory();
  environment = { LEGONET_DATA_DIR: folder, LOG_LEVEL: 'warn' };
});
afterEach(() => removeDataDir(folder));

const server = async () => (await inspectEmbeddedPostgres(folder)).state;
const json = (...args: string[]) => legonetJson(args, environment);

test('the demo tells its story, and again on the same data, and leaves no server running', async () => {
  const first = await legonet(['start', '--demo', '--once'], environment);
  expect(first).toMatchObject({ code: 0 });
  for (const line of [
    '1. 1400 handwritten digits arrive',
    '2. Version 1 is published: 1400 samples, 100 adapters built.',
    'On 297 digits that it has not seen, 97.3 % are right;',
    'one linear head on the same samples gets 92.6 %.',
    '3. Somebody asks for digit-0001 to be deleted.',
    'Version 2 is published: 10 adapters rebuilt, 90 carried over;',
    'rebuilt: ',
    '4. writer-001 withdraws consent',
    'version 2 is retired, its superseded weights are erased.',
  ]) {
    expect(first.stdout).toContain(line);
  }
  expect(first.stdout.match(/it is the same to the last bit/g)).toHaveLength(3);
  expect(first.stdout.split('\n').every((line) => line.length <= 100)).toBe(true);
  expect(await server()).toBe('stopped');

  const again = await legonet(['start', '--demo', '--once'], environment);
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain('2. Nothing new');
  expect(again.stdout).toContain('Version 3 stays in service: 1390 samples.');
  expect(again.stdout.match(/it is the same to the last bit/g)).toHaveLength(3);

  // Nobody reads on: the demo ends in order.
  const unread = startLegonet(['start', '--demo', '--once'], environment);
  await once(unread.process.stdout ?? unread.process, 'data');
  unread.process.stdout?.destroy();
  await once(unread.process, 'exit');
  expect(await server()).toBe('stopped');
});

test('a deletion is waited for without a running start, and failures leave no server', async () => {
  await json('init', join(DIGITS, 'MODEL.json'));
  await json('ingest', join(DIGITS, 'stream.csv.gz'));
  const done = await json('delete', '--subject', 'writer-003', '--wait');
  expect(contract.delete.parse(done)).toMatchObject({ version: 1 });
  expect(await json('rebuild', '--from-scratch', '--check')).toMatchObject({ equal: true });
  expect((await legonet(['adapter', '100'], environment)).code).toBe(1);
  expect(await server()).toBe('stopped');
});

test('an interrupted ingest goes on where it ended, and its server stops', async () => {
  const rows = 60_000;
  const file = join(folder, 'many.csv');
  const zeros = Array.from({ length: 63 }, () => '0').join(',');
  const lines = Array.from({ length: rows }, (_, i) => `${i % 17},${zeros},${i % 10}\n`);
  writeFileSync(file, lines.join(''));
  await json('init', join(DIGITS, 'MODEL.json'));

  const interrupted = startLegonet(['ingest', file], environment);
  await interrupted.says('Ingesting');
  interrupted.process.kill('SIGINT');
  const ended = await interrupted.ended;
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toContain('the same command goes on from there');
  expect(await server()).toBe('stopped');
  const { lag } = contract.status.parse(await json('status'));
  expect(lag).toBeGreaterThan(0);
  expect(lag).toBeLessThan(rows);

  expect(await json('ingest', file)).toMatchObject([{ events: rows, resumedAt: lag }]);
  expect(await json('status')).toMatchObject({ lag: rows });
});
