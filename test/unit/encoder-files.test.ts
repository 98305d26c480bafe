import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readEncoderFiles } from '#src/cli/encoder-files.js';
import { encoderFilesDigest } from '#src/model/encoder-files.js';
import { temporaryFolder } from '../support/input.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

const float = (...shape: number[]) => ({ name: 'w', shape, dtype: 'float32' });

/** A model.json with these groups of weights. */
function manifest(...weightsManifest: readonly object[]): string {
  writeFileSync(at('model.json'), JSON.stringify({ modelTopology: {}, weightsManifest }));
  return at('model.json');
}

writeFileSync(at('a'), Uint8Array.of(1, 2, 3, 4, 5));
writeFileSync(at('b'), Uint8Array.of(6, 7, 8));
writeFileSync(at('c'), Uint8Array.of(9, 10));

test('the weights are the files of the manifest one after another, and the digest is over model.json and them', async () => {
  const half = { name: 'h', shape: [2, 1], dtype: 'float32', quantization: { dtype: 'uint8' } };
  const path = manifest(
    { paths: ['a', 'b'], weights: [float(2)] },
    { paths: ['c'], weights: [half] },
  );
  const files = await readEncoderFiles(path);
  expect([...files.weights]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const all = Buffer.concat([files.manifest, files.weights]);
  expect(encoderFilesDigest(files)).toBe(createHash('sha256').update(all).digest('hex'));
});

test.each<[string, object, string]>([
  ['too few bytes', { paths: ['a'], weights: [float(2)] }, 'input_truncated'],
  ['too many bytes', { paths: ['a', 'b'], weights: [float(1)] }, 'input_truncated'],
  ['a missing file', { paths: ['z'], weights: [float(1)] }, 'input_not_found'],
  ['a file elsewhere', { paths: ['../a'], weights: [float(1)] }, 'input_malformed'],
  ['an absolute path', { paths: ['/etc/passwd'], weights: [float(1)] }, 'input_malformed'],
  ['the folder itself', { paths: ['..'], weights: [float(1)] }, 'input_malformed'],
  ['an address', { paths: ['http://x/y'], weights: [float(1)] }, 'input_malformed'],
  ['texts', { paths: ['a'], weights: [{ ...float(1), dtype: 'string' }] }, 'input_malformed'],
  ['very many numbers', { paths: ['a'], weights: [float(2 ** 40)] }, 'input_unsupported'],
])('weights of %s are refused', async (_, group, code) => {
  await expect(readEncoderFiles(manifest(group))).rejects.toMatchObject({ code });
});

test.each(['', '[]', '{}', '{"modelTopology":{}}', '\xff'])(
  'a model.json that holds %j is refused',
  async (text) => {
    writeFileSync(at('other.json'), text, 'latin1');
    const refused = readEncoderFiles(at('other.json'));
    await expect(refused).rejects.toMatchObject({ code: 'input_malformed' });
  },
);
