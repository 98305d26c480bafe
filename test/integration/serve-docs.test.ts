import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { verifyCertificate } from '#src/verify.js';
import { DIGITS, legonetJson, startLegonet } from '../support/cli.js';
import { removeDataDir, temporaryDirectory } from '../support/embedded.js';

const PAGE = join(import.meta.dirname, '../../docs/how-to/http.md');

/** Fails for any answer that is no success; streams end by themselves, and a certificate takes its time. */
const CURL = `set -eu
curl() {
  case "$*" in
    -N*) command curl -sS --fail-with-body --max-time 2 "$@" || [ $? = 28 ] ;;
    */certificate*) command curl -sS --fail-with-body --retry 100 --retry-delay 1 --retry-all-errors "$@" ;;
    *) command curl -sS --fail-with-body "$@" ;;
  esac
}
`;

test('the examples of the how-to answer as it says', async () => {
  const page = await readFile(PAGE, 'utf8');
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const folder = await mkdtemp(join(tmpdir(), 'legonet-http-docs-'));
  const dataDir = await temporaryDirectory();
  const environment = { LEGONET_DATA_DIR: dataDir, LEGONET_MODEL: join(DIGITS, 'MODEL.json') };
  const running = startLegonet(['start'], environment);
  try {
    await running.says('"event":"http_serving"');
    await legonetJson(['ingest', join(DIGITS, 'stream.csv.gz'), '--limit', '50'], environment);
    await running.says('"event":"version_published"');
    // The block that makes a token for a file comes after those that need the one there is.
    const own = blocks.filter((text) => !text.includes('>> tokens'));
    const made = blocks.filter((text) => text.includes('>> tokens'));
    const script = [CURL, `ln -s ${dataDir} .legonet`, ...own, ...made].join('\n');
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder });
    expect(stdout).toContain('event: legonet.model.version.published.v1');
    expect(stdout).toContain('{"ids":["case-88"]}');
    expect(stdout).toContain('{"ids":["case-89"]}');
    expect(stdout).toContain('"subscriber":"shop"');
    expect(stdout).toContain('"predictions":[{"label":"');
    expect(stdout).toContain('{"openapi":"3.1.0"');
    expect(stdout).toContain('"ready":true');
    // Its examples delete twice: the versions without what they delete may be out already.
    expect(stdout).toMatch(/^legonet_version [1-3]$/m);
    expect((await readFile(join(folder, 'weights.bin'))).byteLength).toBeGreaterThan(0);
    expect((await readFile(join(folder, 'tile'))).byteLength).toBe(32);
    const vkey = /"vkey":"([^"]+)"/.exec(stdout)?.[1] ?? '';
    const certificate = await readFile(join(folder, 'certificate.json'), 'utf8');
    expect(verifyCertificate(certificate, { vkey })).toMatchObject({ ok: true, level: 1 });
    expect(await readFile(join(folder, 'tokens'), 'utf8')).toMatch(/^[0-9a-f]{64} predict /);
  } finally {
    running.process.kill('SIGTERM');
    await running.ended;
    await removeDataDir(dataDir);
    await rm(folder, { recursive: true });
  }
});
