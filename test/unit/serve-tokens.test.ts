import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAccess, isLoopback, openAccess } from '#src/serve/access.js';
import {
  makeLocalToken,
  readLocalAccess,
  removeLocalUrl,
  writeLocalUrl,
} from '#src/serve/local.js';
import { parseTokens, SCOPES, Tokens } from '#src/serve/tokens.js';
import { readSettings } from '#src/settings.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'legonet-tokens-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a tokens file', () => {
  test('gives each token its scopes, by the digest of the token', () => {
    const tokens = new Tokens(
      parseTokens(
        `# who may\n${sha256('a')} ingest audit # the desk\r\n\n${sha256('b').toUpperCase()}\tpredict\n`,
      ),
    );
    expect(tokens.scopesOf('a')).toEqual(['ingest', 'audit']);
    expect(tokens.scopesOf('b')).toEqual(['predict']);
    for (const other of ['', 'c', sha256('a')]) expect(tokens.scopesOf(other)).toBeNull();
  });

  test.each([
    ['', 'a token at least'],
    ['# nothing', 'a token at least'],
    ['secret audit', 'line 1: expected the SHA-256'],
    [`\n${sha256('a')}`, 'line 2: expected the scopes'],
    [
      `${sha256('a')} audit everything`,
      'line 1: expected scopes among ingest, delete, audit, predict, admin, not "everything"',
    ],
    [`${sha256('a')} audit\n${sha256('a')} ingest`, 'each token once'],
  ])('that is wrong is named, with the line and what was expected: %j', (text, message) => {
    expect(() => parseTokens(text)).toThrow(message);
    expect(() => parseTokens(text)).not.toThrow('secret');
  });
});

describe('who is let in', () => {
  const settings = (environment: Record<string, string>) =>
    readSettings({ LEGONET_DATA_DIR: folder, ...environment });

  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST'])(
    '%s is this machine',
    (host) => expect(isLoopback(host)).toBe(true),
  );

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.example.org',
    'localhost.example.org',
    '1270.0.0.1',
  ])('%s may be reached from others, and is not served without tokens', async (host) => {
    expect(isLoopback(host)).toBe(false);
    const alone = settings({ LEGONET_HTTP_HOST: host });
    await expect(checkAccess(alone)).rejects.toMatchObject({ code: 'invalid_setting' });
    await expect(openAccess(alone)).rejects.toThrow('LEGONET_TOKENS_FILE');
    const file = join(folder, 'tokens');
    await writeFile(file, `${sha256('a')} audit`);
    const { tokens, openMetrics, localToken } = await openAccess(
      settings({ LEGONET_HTTP_HOST: host, LEGONET_TOKENS_FILE: file }),
    );
    expect([tokens.scopesOf('a'), openMetrics, localToken]).toEqual([['audit'], false, null]);
  });

  test('a tokens file that cannot be read stops the start', async () => {
    const missing = settings({ LEGONET_TOKENS_FILE: join(folder, 'missing') });
    await expect(checkAccess(missing)).rejects.toMatchObject({ code: 'invalid_setting' });
  });

  test('with the embedded server, whoever can read the data directory may do all', async () => {
    const { tokens, localToken, openMetrics } = await openAccess(settings({}));
    expect(tokens.scopesOf(localToken ?? '')).toEqual(SCOPES);
    expect(openMetrics).toBe(true);
    expect((await openAccess(settings({}))).localToken).toBe(localToken);
  });

  test('with a database of their own and no tokens file, nobody', async () => {
    const { tokens, localToken } = await openAccess(settings({ DATABASE_URL: 'postgres://x/y' }));
    expect([tokens.size, localToken, await readdir(folder)]).toEqual([0, null, []]);
  });
});

describe('the token of a data directory', () => {
  test('is one, whoever makes it at the same time, and its owner’s alone', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => makeLocalToken(folder)));
    expect(new Set(made).size).toBe(1);
    expect(await readdir(folder)).toEqual(['http-token']);
    const path = join(folder, 'http-token');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path, 'utf8')).trim()).toBe(made[0]);
    expect(made[0]?.length).toBeGreaterThanOrEqual(43);
  });

  test('is found with the address as long as a server is there', async () => {
    expect(await readLocalAccess(folder)).toBeNull();
    const token = await makeLocalToken(folder);
    await writeLocalUrl(folder, 'http://127.0.0.1:1');
    expect(await readLocalAccess(folder)).toEqual({ url: 'http://127.0.0.1:1', token });
    await writeLocalUrl(folder, 'http://127.0.0.1:2');
    await removeLocalUrl(folder, 'http://127.0.0.1:1');
    expect(await readLocalAccess(folder)).toEqual({ url: 'http://127.0.0.1:2', token });
    await removeLocalUrl(folder, 'http://127.0.0.1:2');
    expect(await readLocalAccess(folder)).toBeNull();
  });
});

test.each([
  ['LEGONET_HTTP_PORT', '65536'],
  ['LEGONET_HTTP_PORT', 'http'],
  ['LEGONET_HTTP_HOST', 'http://localhost'],
  ['LEGONET_STALLED_AFTER_MS', '10'],
])('a wrong %s is named: %s', (name, value) => {
  expect(() => readSettings({ [name]: value })).toThrow(`${name}: expected`);
});
