import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { verifyReceipt } from '#src/audit/certificate/receipt.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { DIGITS, legonet, legonetJson, startLegonet } from '../support/cli.js';
import { contract } from '../support/contract.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let folder: string;
let database: TestDatabase;
let environment: Record<string, string>;
let vkey: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'legonet-test-certificates-'));
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url,
    LEGONET_DATA_DIR: join(folder, 'data'),
    LEGONET_SIGNING_KEY_FILE: join(folder, 'key'),
    LEGONET_BUILD_DELAY_MS: '0',
  };
  const made = await legonet(['keygen', 'digits.example/log', '-o', join(folder, 'key')], {});
  expect(made).toMatchObject({ code: 0 });
  vkey = made.stdout.trim();
  await json('init', join(DIGITS, 'MODEL.json'));
  await json('ingest', join(DIGITS, 'stream.csv.gz'));
  await run('start', '--once');
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

const json = (...args: string[]) => legonetJson(args, environment);
const run = (...args: string[]) => legonet(args, environment);
const at = (name: string) => join(folder, name);
const holds = async (file: string, key = vkey) =>
  verifyCertificate(await readFile(file, 'utf8'), { vkey: key }).ok;

const waited = contract.delete;

test('keygen writes a secret for its owner alone, never over another, and says the public half', async () => {
  expect(vkey).toMatch(/^digits\.example\/log\+[0-9a-f]{8}\+/);
  expect((await stat(at('key'))).mode & 0o777).toBe(0o600);
  expect(await readFile(at('key'), 'utf8')).toMatch(/^PRIVATE\+KEY\+digits\.example\/log\+/);
  const again = await run('keygen', 'other', '-o', at('key'));
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('[file_exists]');
  expect(await run('keygen', 'two words', '-o', at('other'))).toMatchObject({ code: 2 });
  expect(await json('keygen', '-o', at('other'))).toMatchObject({
    file: at('other'),
    vkey: expect.stringMatching(/^legonet\.local\/[0-9a-f]{16}\+/),
  });
});

describe('a deletion that is waited for', () => {
  test('prints the path of its certificate, which holds', async () => {
    const done = waited.parse(
      await json('delete', '--sample', 'digit-0001', '--request-id', 'case 88/ü', '--wait'),
    );
    const [file = ''] = done.certificates;
    expect(done.certificates).toHaveLength(1);
    expect(dirname(file)).toBe(at('data/certificates'));
    expect(await holds(file)).toBe(true);
    expect(await holds(file, 'digits.example/log+00000000+AAAA')).toBe(false);
  });

  test('has one for each sample of a subject, and none for what was never there', async () => {
    const done = waited.parse(await json('delete', '--subject', 'writer-001', '--wait'));
    expect(done.samples.length).toBeGreaterThan(1);
    expect(done.certificates).toHaveLength(done.samples.length);
    expect(new Set(done.certificates).size).toBe(done.samples.length);
    for (const file of done.certificates) expect(await holds(file)).toBe(true);
    const none = waited.parse(await json('delete', '--sample', 'never', '--wait'));
    expect(none.certificates).toEqual([]);
    const text = await run('delete', '--sample', 'digit-0100', '--wait');
    expect(text.stdout).toMatch(/\nCertificate: .+\.json\n$/);
  });
});

describe('legonet certificate', () => {
  test('fetches it later, into a file or to stdout, and summarises it', async () => {
    await json('delete', '--sample', 'digit-0700', '--request-id', 'case-2', '--wait');
    await run('start', '--once');
    const summary = await json('certificate', 'case-2', '-o', at('case-2.json'));
    expect(summary).toMatchObject({
      requestId: 'case-2',
      origin: 'digits.example/log',
      heldBefore: true,
      erased: true,
      file: at('case-2.json'),
      bytes: (await stat(at('case-2.json'))).size,
      modelDigest: contract.status.parse(await json('status')).modelDigest,
    });
    expect(await holds(at('case-2.json'))).toBe(true);
    const { code, stdout } = await run('certificate', 'case-2', '-o', '-');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: await readFile(at('case-2.json'), 'utf8'),
    });
  });

  test('says what it lacks', async () => {
    const ids = await json('delete', '--subject', 'writer-002', '--request-id', 'case-3', '--wait');
    const [sample = ''] = waited.parse(ids).samples;
    const failing = async (code: number, ...args: string[]) => {
      const ended = await run('certificate', ...args);
      expect(ended).toMatchObject({ code, stdout: '' });
      return ended.stderr;
    };
    expect(await failing(1, 'case-3', '-o', at('x'))).toContain('[several_deleted]');
    expect(await failing(1, 'unknown', '-o', at('x'))).toContain('[no_deletion]');
    expect(await failing(1, 'case-3', '--sample', 'digit-0003', '-o', at('x'))).toContain(
      '[nothing_deleted]',
    );
    expect(await failing(2, 'case-3')).toContain('--output');
    expect(await failing(2, 'case-3', '--json', '-o', '-')).toContain('[wrong_usage]');
    expect(await failing(1, 'case-2', '-o', at('key/x'))).toContain('[output_unwritable]');
    expect(await run('certificate', 'case-3', '--sample', sample, '-o', at('x'))).toMatchObject({
      code: 0,
    });
    expect(await holds(at('x'))).toBe(true);
  });
});

test('legonet receipt opens a live sample, and says of a deleted one that its salt is gone', async () => {
  expect(await json('receipt', 'digit-0200', '-o', at('receipt.json'))).toMatchObject({
    sampleId: 'digit-0200',
    file: at('receipt.json'),
  });
  expect(verifyReceipt(await readFile(at('receipt.json'), 'utf8'), vkey).ok).toBe(true);
  const gone = await run('receipt', 'digit-0001', '-o', '-');
  expect(gone).toMatchObject({ code: 1, stdout: '' });
  expect(gone.stderr).toContain('its salt with it');
});

test('a key is rotated beside a running start, which certifies and deletes on under the new one', async () => {
  const own = { ...environment, LEGONET_SIGNING_KEY_FILE: '' };
  const other = await createTestDatabase();
  const local = { ...own, DATABASE_URL: other.url, LEGONET_DATA_DIR: at('local') };
  const localJson = (...args: string[]) => legonetJson(args, local);
  try {
    await localJson('init', join(DIGITS, 'MODEL.json'));
    await localJson('ingest', join(DIGITS, 'stream.csv.gz'), '--limit', '200');
    const start = startLegonet(['start'], local);
    await start.logs('version_published');
    const rotated = z
      .object({ from: z.string(), vkey: z.string(), file: z.string(), inPlace: z.literal(true) })
      .parse(await localJson('keygen', '--rotate'));
    const done = await localJson('delete', '--sample', 'digit-0001', '--wait');
    const [file = ''] = waited.parse(done).certificates;
    for (const key of [rotated.from, rotated.vkey]) expect(await holds(file, key)).toBe(true);
    expect(
      await localJson('certificate', waited.parse(done).requestId, '-o', at('y')),
    ).toMatchObject({ sampleId: 'digit-0001' });
    start.process.kill('SIGTERM');
    const { code, stderr } = await start.ended;
    expect(code).toBe(0);
    expect(stderr).not.toContain('role_failed');
    expect((await readdir(dirname(rotated.file))).sort()).toEqual(['checkpoint', 'signing-key']);
    expect((await legonet(['keygen', '--rotate', '-o', at('z')], local)).code).toBe(2);
    expect((await legonet(['keygen', 'name', '--rotate'], local)).code).toBe(2);
  } finally {
    await other.drop();
  }
});
