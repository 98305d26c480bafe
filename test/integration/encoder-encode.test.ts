import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { run } from '#src/cli/commands/encoder-encode.js';
import { createContext } from '#src/cli/context.js';
import { readMatrixFile } from '#src/cli/input/matrix.js';
import { readSettings } from '#src/settings.js';
import { temporaryFolder } from '../support/input.js';
import { configurationJson } from '../support/models.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const NEVER = new AbortController().signal;

mkdirSync(at('public/any'), { recursive: true });
writeFileSync(at('model.json'), smallFiles.manifest);
writeFileSync(at('weights.bin'), smallFiles.weights);

function writeModel(name: string, encoder: object): string {
  const keys = { kind: 'random', seed: 'reference' };
  writeFileSync(at(name), JSON.stringify(configurationJson({ encoder, keys })));
  return at(name);
}

async function encode(model: string, path: string) {
  const printed: { rows: number; keys: { sha256: string } }[] = [];
  const context = {
    ...createContext(readSettings({ LEGONET_ENGINE: 'wasm' }), { json: true }, NEVER),
    print: (value: unknown) => printed.push(value as (typeof printed)[number]),
  };
  await run(context, model, path, { output: at('reference.npy') });
  return printed[0];
}

test('the encodings of a folder of public images are a .npy that MODEL.json can name', async () => {
  for (const [name, background] of [
    ['a', '#ff0000'],
    ['b', '#0000ff'],
  ]) {
    const image = sharp({
      create: { width: 3, height: 5, channels: 3, background: `${background}` },
    });
    writeFileSync(at(`public/any/${name}.png`), await image.png().toBuffer());
  }
  const { rows, keys } = (await encode(writeModel('MODEL.json', smallEncoder), at('public'))) ?? {};
  expect(rows).toBe(2);
  const matrix = await readMatrixFile(at('reference.npy'), keys?.sha256 ?? '');
  expect(matrix).toMatchObject({ rows: 2, columns: 3 });
  expect([...matrix.values]).toEqual([1, -1, -1, -1, -1, 1]);
});

test('an image that cannot be decoded is named, and a model without an encoder is refused', async () => {
  writeFileSync(at('public/any/c.png'), 'no image');
  const model = writeModel('MODEL.json', smallEncoder);
  const error = await encode(model, at('public')).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'input_not_encodable' });
  expect(error.message).toContain('any/c.png');
  const identity = { kind: 'identity', dimension: 3, scale: 1 };
  await expect(encode(writeModel('plain.json', identity), at('public'))).rejects.toMatchObject({
    code: 'wrong_usage',
  });
});
