import { join } from 'node:path';
import { createContext, Script } from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Verification, verifyCertificate } from '#src/verify.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const ENTRY = join(import.meta.dirname, '../../dist/verify.js');
/** All that the verifier finds around it: what every browser has. */
const WEB = { TextEncoder, TextDecoder, atob, btoa };

const model = tinyModel();
let http: TestHttp;
let certificate: string;
let vkey: string;

beforeAll(async () => {
  http = await openTestHttp(model);
  await http.append(ingests(model, 's', 300));
  await http.catchUp();
  await http.append([deletion('s7')]);
  await http.catchUp();
  certificate = await (await http.ask('/v1/deletions/r-s7/certificate')).text();
  ({ vkey } = (await http.json('/v1/log/key')) as { vkey: string });
});
afterAll(() => http.close());

/** One script for a browser, with all that it imports. Whatever only Node.js has fails here. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'legonet',
    minify: true,
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

test('the verifier runs where there is nothing of Node.js, and comes to the same result', async () => {
  // As under a strict content security policy: no text may become code.
  const codeGeneration = { strings: false, wasm: false };
  const page = createContext({ ...WEB, certificate, vkey }, { codeGeneration });
  const script = await bundle();
  expect(script.length).toBeLessThan(200_000);
  new Script(script).runInContext(page);
  const run = (expression: string): Verification =>
    JSON.parse(new Script(`JSON.stringify(${expression})`).runInContext(page));
  const verified = run('legonet.verifyCertificate(certificate, { vkey })');
  expect(verified).toMatchObject({ ok: true, level: 1 });
  expect(verified).toEqual(verifyCertificate(certificate, { vkey }));
  const changed = run(
    `legonet.verifyCertificate(certificate.replace('"version":2', '"version":3'), { vkey })`,
  );
  expect(changed.ok).toBe(false);
  expect(run('typeof process + typeof require + typeof Buffer')).toBe(
    'undefinedundefinedundefined',
  );
});
