import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '#src/store/database.js';
import { legonet } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { temporaryDirectory } from '../support/embedded.js';
import { configurationJson } from '../support/models.js';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/how-to/verify.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
const execute = promisify(execFile);

let folder: string;
let database: TestDatabase;
let environment: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryDirectory();
  chmodSync(folder, 0o711);
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url,
    LEGONET_DATA_DIR: join(folder, '.legonet'),
    LEGONET_BUILD_DELAY_MS: '0',
    LOG_LEVEL: 'warn',
  };
  const at = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const run = async (...args: string[]) => {
    const ended = await legonet(args, environment);
    if (ended.code !== 0) throw new Error(`${args.join(' ')}: ${ended.stderr}`);
  };
  await run('init', at('MODEL.json', JSON.stringify(configurationJson())));
  const rows = Array.from(
    { length: 60 },
    (_, i) => `s${i},${'abc'[i % 3]},${i % 7},${i % 5},${i % 11},1`,
  );
  await run('ingest', at('samples.csv', `sampleId,label,x1,x2,x3,x4\n${rows.join('\n')}\n`));
  await run('start', '--once');
  await run('receipt', 's7', '-o', join(folder, 'receipt.json'));
  await run('delete', '--sample', 's7', '--request-id', 'case-88', '--wait');
  const { pool, close } = openDatabase(database.url);
  const { rows: keys } = await pool.query('SELECT vkey FROM tlog_keys');
  at('verifier-key', `${keys[0].vkey}\n`);
  await close();
  await run('certificate', 'case-88', '-o', join(folder, 'certificate.json'));
}, 60_000);
afterAll(async () => {
  await database?.drop();
});

test('the commands of the how-to, one after the other, show what the page says', async () => {
  const outputs: string[] = [];
  for (const block of blocks) {
    const script = block.replaceAll('npx legonet', `${process.execPath} ${ROOT}/dist/cli/main.js`);
    // A command that fails ends the script.
    const { stdout } = await execute('bash', ['-ec', script], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', ...environment },
    });
    outputs.push(stdout);
  }
  const levels = outputs.flatMap(
    (text) => /^(\S+: the \w+ holds, at level \d)\.$/m.exec(text)?.[1] ?? [],
  );
  expect(levels).toEqual([
    'certificate.json: the certificate holds, at level 1',
    'certificate.json: the certificate holds, at level 1',
    'receipt.json: the receipt holds, at level 1',
    'certificate.json: the certificate holds, at level 2',
    'certificate.json: the certificate holds, at level 3',
  ]);
  expect(outputs[1]).toContain('ok     opening:');
}, 60_000);
