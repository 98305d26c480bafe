import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateOf } from '#src/store/certificates.js';
import { openDatabase } from '#src/store/database.js';
import { type Ended, legonet } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/*
 * What auditors run, on a real database: a history of ingests, corrections and deletions, then export and verify.
 */

const MODEL = {
  name: 'pets',
  classes: ['cat', 'dog'],
  encoder: { kind: 'identity', dimension: 4, scale: 10 },
  keys: { kind: 'random', seed: 'pets' },
  adapters: 20,
  activated: 4,
  adapter: { kind: 'least-squares', lambda: 0.01 },
};

let folder: string;
let database: TestDatabase;
let environment: Record<string, string>;
let vkey: string;

const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<Ended> => legonet(args, environment);

async function done(...args: string[]): Promise<Ended> {
  const ended = await run(...args);
  if (ended.code !== 0) throw new Error(`${args.join(' ')}: ${ended.stderr}${ended.stdout}`);
  return ended;
}

let next = 0;
const event = (kind: string, data: object) =>
  JSON.stringify({
    specversion: '1.0',
    type: `legonet.sample.${kind}.v1`,
    id: `e${next++}`,
    source: 'urn:test',
    time: '2026-01-01T00:00:00Z',
    data,
  });
const content = (sampleId: string, n: number, subjectId?: string) => ({
  sampleId,
  label: n % 2 === 0 ? 'cat' : 'dog',
  encoding: [n % 7, (n * 3) % 11, (n * 5) % 13, -n % 5],
  ...(subjectId && { subjectId }),
});

async function happen(...events: readonly string[]): Promise<void> {
  const file = at(`events-${next}.ndjson`);
  writeFileSync(file, events.join('\n'));
  await done('ingest', file);
  await done('start', '--once');
}

async function certificate(requestId: string, name: string): Promise<string> {
  const opened = openDatabase(database.url);
  try {
    writeFileSync(at(name), await certificateOf(opened, { requestId }));
    const { rows } = await opened.pool.query('SELECT vkey FROM tlog_keys');
    vkey = rows[0].vkey;
  } finally {
    await opened.close();
  }
  return at(name);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'legonet-test-audit-'));
  chmodSync(folder, 0o711);
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url,
    LOG_LEVEL: 'warn',
    LEGONET_DATA_DIR: at('data-dir'),
    LEGONET_BUILD_DELAY_MS: '0',
  };
  writeFileSync(at('MODEL.json'), JSON.stringify(MODEL));
  await done('init', at('MODEL.json'));
  await happen(...Array.from({ length: 300 }, (_, i) => event('ingested', content(`s${i}`, i))));
  await done('audit', 'listing', at('listing-1'));
  await done('audit', 'export', at('log'));
  writeFileSync(at('kept'), readFileSync(at('log/checkpoint')));
  await happen(
    event('corrected', content('s3', 1000)),
    ...Array.from({ length: 40 }, (_, i) => event('ingested', content(`t${i}`, i, 'anna'))),
    event('deleted', { sampleId: 's7', requestId: 'r7' }),
    event('deleted', { sampleId: 's8', requestId: 'r8' }),
  );
  await done('delete', '--subject', 'anna', '--request-id', 'anna', '--wait');
  await certificate('r7', 'certificate.json');
  writeFileSync(at('log.vkey'), `${vkey}\n`);
  await done('audit', 'export', at('log'));
  await done('audit', 'listing', at('listing'));
  await done('audit', 'data', at('data'));
}, 120_000);
afterAll(async () => {
  await database?.drop();
  rmSync(folder, { recursive: true });
});

/** No database, no network: settings that lead nowhere. */
const nowhere = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' };
const verify = (...args: string[]) => legonet(['verify', ...args], nowhere);

const failed = ({ stdout }: Ended): string[] =>
  [...stdout.matchAll(/^ {2}FAILED ([a-z-]+):/gm)].map(([, name = '']) => name);

describe('verify', () => {
  test('shows what a certificate proves, offline, and what it does not', async () => {
    const ended = await verify(at('certificate.json'), '--key', vkey);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain('the certificate holds, at level 1');
    expect(ended.stdout).toContain('What this does not show:');
    const zero = await verify(at('certificate.json'), '--key', at('log.vkey'), '--level', '0');
    expect(zero.stdout).toContain('the certificate holds, at level 0');
  });

  test('goes as far as what it is given: the log and the listing, then the data', async () => {
    const args = [at('certificate.json'), '--key', at('log.vkey'), '--log', at('log')];
    const two = await verify(...args, '--listing', at('listing'));
    expect(failed(two)).toEqual([]);
    expect(two).toMatchObject({ code: 0, stderr: '' });
    expect(two.stdout).toContain('the certificate holds, at level 2');
    const three = await verify(...args, '--data', at('data'), '--earlier', at('listing-1'));
    expect(failed(three)).toEqual([]);
    expect(three.stdout).toContain('the certificate holds, at level 3');
    expect(three.stdout).toContain('ok     carried-sets:');
  });

  test('reads the log from a URL as well', async () => {
    const server = await serve(at('log'));
    const { port } = server.address() as AddressInfo;
    const log = `http://127.0.0.1:${port}`;
    const args = [at('certificate.json'), '--key', vkey, '--listing', at('listing'), '--json'];
    const { code, stdout } = await verify(...args, '--log', log);
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, ok: true, level: 2 });
    server.close();
  });

  test('fails, and does not crash, on whatever is no certificate', async () => {
    const files = {
      empty: '',
      binary: Buffer.from([0xff, 0xfe, 0x00]),
      nested: '['.repeat(1_000_000),
      large: 'x'.repeat(3_000_000),
      changed: readFileSync(at('certificate.json'), 'utf8').replace('"r7"', '"r8"'),
    };
    for (const [name, bytes] of Object.entries(files)) {
      writeFileSync(at(name), bytes);
      const ended = await verify(at(name), '--key', vkey);
      expect(ended).toMatchObject({ code: 1, stderr: '' });
      expect(failed(ended).length).toBeGreaterThan(0);
    }
    expect(await verify(at('none'), '--key', vkey)).toMatchObject({ code: 1, stdout: '' });
  });

  test('fails at level 2 on any other listing, and on a log with an entry rewritten', async () => {
    const args = [at('certificate.json'), '--key', vkey];
    const listing = readFileSync(at('listing'));
    for (const [name, change] of [
      ['short', (bytes: Buffer) => bytes.subarray(0, -1)],
      ['long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])])],
      ['other', (bytes: Buffer) => Buffer.from(bytes.with(bytes.length - 100, 1))],
    ] as const) {
      writeFileSync(at(name), change(listing));
      const ended = await verify(...args, '--log', at('log'), '--listing', at(name));
      expect(ended).toMatchObject({ code: 1, stderr: '' });
      expect(failed(ended).length).toBeGreaterThan(0);
    }
  });

  test.each([
    ['no key', []],
    ['a key that is none', ['--key', 'abc']],
    ['a level that there is not', ['--key', 'KEY', '--level', '4']],
    ['a level without what it needs', ['--key', 'KEY', '--level', '2']],
    ['a listing without a log', ['--key', 'KEY', '--listing', 'x']],
    ['the data alone', ['--key', 'KEY', '--data', 'x']],
  ])('is not told what to do by %s', async (_, args) => {
    const given = args.map((arg) => (arg === 'KEY' ? vkey : arg));
    const ended = await verify(at('certificate.json'), ...given);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).not.toBe('');
  });
});

describe('audit', () => {
  test('--since shows that the log has only grown, from the database or a copy', async () => {
    const own = await done('audit', '--since', at('kept'));
    expect(own.stderr).toMatch(/has only grown, from \d+ to \d+ entries/);
    expect(own.stdout).toBe(readFileSync(at('log/checkpoint'), 'utf8'));
    const args = ['audit', '--since', at('kept'), '--key', vkey, '--log', at('log')];
    const copy = await legonet([...args, '-o', at('new')], nowhere);
    expect(copy).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(at('new'), 'utf8')).toBe(readFileSync(at('log/checkpoint'), 'utf8'));
  });

  test('--since fails on a log that has shrunk', async () => {
    const args = ['--key', vkey, '--log', at('log')];
    writeFileSync(at('later'), readFileSync(at('log/checkpoint')));
    writeFileSync(at('log/checkpoint'), readFileSync(at('kept')));
    const ended = await legonet(['audit', '--since', at('later'), ...args], nowhere);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('log_inconsistent');
    writeFileSync(at('log/checkpoint'), readFileSync(at('later')));
  });

  test('export goes on where it stopped, and gives the same as one from the start', async () => {
    await done('audit', 'export', at('fresh'));
    const { stdout } = await done('audit', 'export', at('log'));
    expect(stdout).toContain('0 of them new');
    const args = [at('certificate.json'), '--key', vkey, '--listing', at('listing')];
    expect((await verify(...args, '--log', at('fresh'))).code).toBe(0);
  });
});

/** The files below a directory, over HTTP. */
async function serve(directory: string): Promise<Server> {
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(directory, normalize(request.url ?? '/'))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
