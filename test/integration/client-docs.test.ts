import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { legonetJson, type Running, startLegonet } from '../support/cli.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/how-to/library.md'), 'utf8');
const examples = [...page.matchAll(/^```js example\n(.*?)^```$/gms)].map(([, code = '']) => code);

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
let service: Running | undefined;

beforeEach(async () => {
  folder = await temporaryDirectory();
});
afterEach(async () => {
  service?.process.kill('SIGTERM');
  await service?.ended;
  await removeDataDir(join(folder, '.legonet'));
});

/** Runs a module as a program of its own, to which legonet is a package that is installed. */
async function run(name: string, code: string) {
  await writeFile(join(folder, name), code);
  const child = spawn(process.execPath, [name], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = await ended;
  return { status, stdout, stderr };
}

/** What an auditor has: the certificate of a request, and the log's key. */
async function fetchCertificate(requestId: string): Promise<void> {
  const read = (name: string) => readFile(join(folder, '.legonet', name), 'utf8');
  const url = (await read('http-url')).trim();
  const headers = { authorization: `Bearer ${(await read('http-token')).trim()}` };
  const path = `/v1/deletions/${requestId}/certificate`;
  let answer = await fetch(url + path, { headers });
  // First the request is not projected yet, then no version without the sample is published.
  while (!answer.ok) answer = await fetch(url + path, { headers });
  await writeFile(join(folder, 'certificate.json'), await answer.text());
  const { vkey } = (await (await fetch(`${url}/v1/log/key`)).json()) as { vkey: string };
  await writeFile(join(folder, 'log.vkey'), `${vkey}\n`);
}

test('the examples of the library run as they are, beside a running service', async () => {
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules/legonet'));
  const model = join(folder, 'MODEL.json');
  await writeFile(model, JSON.stringify(MODEL));
  const environment = {
    LEGONET_DATA_DIR: join(folder, '.legonet'),
    LEGONET_MODEL: model,
    LEGONET_HTTP_PORT: '0',
    LEGONET_BUILD_DELAY_MS: '0',
  };
  service = startLegonet(['start'], environment);
  await service.says('serving HTTP');
  const outputs: string[] = [];
  for (const [i, code] of examples.entries()) {
    if (code.includes('verifyCertificate')) await fetchCertificate('case-88');
    const { status, stdout, stderr } = await run(`example-${i}.mjs`, code);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    outputs.push(stdout);
  }
  expect(outputs).toHaveLength(4);
  const [sent, refused, followed, verified] = outputs;
  expect(sent).toMatch(/^event [0-9a-f-]{36} is at 0:0\n$/);
  expect(refused).toBe('not_finite: data.encoding: expected a finite number at index 0\n');
  expect(followed).toMatch(/"kind":"adopted"/);
  expect(
    followed?.match(/^version \d+ says (cat|dog): cat -?\d\.\d{3}, dog -?\d\.\d{3}$/gm),
  ).toHaveLength(2);
  expect(verified).toMatch(/^(?:(?:ok|not checked): [a-z-]+: .+\n){10,}/);
  expect(verified).toMatch(/^the certificate holds, at level L1$/m);
  const sample = await legonetJson(['sample', 'photo-17'], environment);
  expect(sample).toMatchObject({ state: 'deleted' });
});
