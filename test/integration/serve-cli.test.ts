import { readdir, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLocalAccess } from '#src/serve/local.js';
import { DIGITS, legonet, legonetJson, startLegonet } from '../support/cli.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';
import { readEvents } from '../support/sse.js';

let folder: string;
let environment: Record<string, string>;
beforeEach(async () => {
  folder = await temporaryDirectory();
  const model = join(DIGITS, 'MODEL.json');
  environment = { LEGONET_DATA_DIR: folder, LEGONET_MODEL: model, LOG_LEVEL: 'info' };
});
afterEach(() => removeDataDir(folder));

/** The line of the log that has the event. */
const lineOf = (stderr: string, event: string) =>
  JSON.parse(stderr.split('\n').find((line) => line.includes(`"event":"${event}"`)) ?? '{}');

test('start serves, local clients find address and token, and a signal ends it in order', async () => {
  const running = startLegonet(['start'], environment);
  await running.says('"event":"http_serving"');
  const access = await readLocalAccess(folder);
  if (!access) throw new Error('nobody said where it is');
  const token = await stat(join(folder, 'http-token'));
  expect(token.mode & 0o777).toBe(0o600);

  const headers = { authorization: `Bearer ${access.token}` };
  const ask = (path: string) => fetch(new URL(path, access.url), { headers });
  const events = readEvents(await ask('/v1/versions/stream'));
  await events.next();
  await legonetJson(['ingest', join(DIGITS, 'stream.csv.gz'), '--limit', '50'], environment);
  for await (const { event, data = '' } of events) {
    if (event === undefined) continue;
    expect(event).toBe('legonet.model.version.published.v1');
    expect(JSON.parse(data).data).toMatchObject({ model: 'digits', version: 1 });
    break;
  }
  for (const [path, command] of [
    ['/v1/versions', ['versions']],
    ['/v1/samples/digit-0001', ['sample', 'digit-0001']],
    ['/v1/adapters/7', ['adapter', '7']],
    ['/v1/deletions', ['deletions']],
  ] as const) {
    expect(await (await ask(path)).json()).toEqual(await legonetJson(command, environment));
  }

  const open = readEvents(await ask('/v1/versions/stream'));
  await open.next();
  running.process.kill('SIGTERM');
  for await (const _ of open);
  const { code, stderr } = await running.ended;
  expect(code, stderr).toBe(0);
  expect(lineOf(stderr, 'http_serving')).toMatchObject({ url: access.url });
  expect(stderr).not.toContain(access.token);
  expect(await readLocalAccess(folder)).toBeNull();
});

test('nothing starts where others could reach it and nobody has a token', async () => {
  const { code, stderr } = await legonet(['start'], {
    ...environment,
    LEGONET_HTTP_HOST: '0.0.0.0',
  });
  expect([code, stderr]).toEqual([2, expect.stringContaining('LEGONET_TOKENS_FILE')]);
  expect(await readdir(folder)).toEqual([]);
});

test('a port that is taken ends a process that would do nothing else', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const taken = { ...environment, LEGONET_HTTP_PORT: String(port) };
  const { code, stderr } = await legonet(['start', '--roles', 'serve'], taken);
  expect([code, stderr]).toEqual([1, expect.stringContaining('LEGONET_HTTP_PORT')]);

  const running = startLegonet(['start'], taken);
  await running.says('port_taken');
  await legonetJson(['ingest', join(DIGITS, 'stream.csv.gz'), '--limit', '50'], environment);
  await running.says('"event":"version_published"');
  other.close();
  await running.says('"event":"http_serving"');
  running.process.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
});
