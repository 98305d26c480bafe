import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readMatrix, readMatrixFile } from '#src/cli/input/matrix.js';
import { readModelFile } from '#src/cli/model-file.js';
import { temporaryFolder } from '../support/input.js';
import { writeNpy } from '../support/npy.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

function writeModel(name: string, change: object = {}): string {
  const configuration = {
    name: 'tiny',
    classes: ['a', 'b'],
    encoder: { kind: 'identity', dimension: 2, scale: 2 },
    keys: { kind: 'reference', file: 'keys.npy', sha256: sha256(keys) },
    adapters: 2,
    activated: 1,
    adapter: { kind: 'least-squares', lambda: 0.01 },
    ...change,
  };
  writeFileSync(at(name), JSON.stringify(configuration));
  return at(name);
}

const keys = writeNpy(at('keys.npy'), { type: 'f4', shape: [3, 2], values: [1, 2, 3, 4, 5, 6] });

test('a matrix keeps its type: int8 as it is, others as float32 or float64', async () => {
  const cases = [
    ['i1', [-1, 2], Int8Array.of(-1, 2)],
    ['u1', [200, 2], Float32Array.of(200, 2)],
    ['f2', [0x3c00, 0xc000], Float32Array.of(1, -2)],
    ['f4', [0.5, 2], Float32Array.of(0.5, 2)],
    ['f8', [0.1, 2], Float64Array.of(0.1, 2)],
  ] as const;
  for (const [type, numbers, values] of cases) {
    const path = writeNpy(at('matrix.npy'), { type, shape: [1, 2], values: numbers });
    expect(await readMatrix(path)).toEqual({ rows: 1, columns: 2, values });
  }
});

test('a matrix that is cut short or empty is refused', async () => {
  const short = writeNpy(at('short.npy'), { type: 'f4', shape: [2, 2], values: [1, 2, 3] });
  await expect(readMatrix(short)).rejects.toMatchObject({ code: 'input_truncated' });
  const empty = writeNpy(at('empty.npy'), { type: 'f4', shape: [0, 2], values: [] });
  await expect(readMatrix(empty)).rejects.toMatchObject({ code: 'input_malformed' });
});

test('a file whose digest is another is refused, naming both digests', async () => {
  expect(await readMatrixFile(keys, sha256(keys))).toMatchObject({ rows: 3, columns: 2 });
  const other = '0'.repeat(64);
  const error = await readMatrixFile(keys, other).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'digest_mismatch' });
  for (const part of [keys, other, sha256(keys)]) expect(error.message).toContain(part);
});

test('a model is read with its files, found from its own folder, and as many keys as adapters', async () => {
  const { model, files } = await readModelFile(writeModel('MODEL.json'));
  expect(files.keys).toEqual({ rows: 2, columns: 2, values: Float32Array.of(1, 2, 3, 4) });
  expect(files.projection).toBeUndefined();
  expect(model.shape).toEqual({ dimension: 2, classes: 2 });
  mkdirSync(at('sub'), { recursive: true });
  const pinned = { kind: 'reference', file: '../keys.npy', sha256: sha256(keys) };
  const { model: same } = await readModelFile(writeModel('sub/MODEL.json', { keys: pinned }));
  expect(same.digest).toBe(model.digest);
});

test('a projection is read as well', async () => {
  const path = writeNpy(at('projection.npy'), { type: 'f8', shape: [1, 2], values: [1, -1] });
  const projection = { file: 'projection.npy', sha256: sha256(path) };
  const encoder = { kind: 'identity', dimension: 2, scale: 2, projection };
  const { model } = await readModelFile(writeModel('projected.json', { encoder }));
  expect(model.shape.dimension).toBe(1);
});

test('a model whose keys were changed is refused', async () => {
  const pinned = { kind: 'reference', file: 'keys.npy', sha256: 'f'.repeat(64) };
  const path = writeModel('changed.json', { keys: pinned });
  await expect(readModelFile(path)).rejects.toMatchObject({ code: 'digest_mismatch' });
});

test.each([
  ['{\n  "name": x\n}', 'line 2, column 11'],
  ['{\n  "a": [1,\n2,]\n}', 'line 3, column 3'],
  ['{"a": 1', 'line 1, column 8'],
  ['{"a": tru }', 'line 1, column 10'],
  ['{"a" 1}', 'line 1, column 6'],
  ['', 'line 1, column 1'],
])('%j is refused with the place of the mistake', async (text, where) => {
  writeFileSync(at('broken.json'), text);
  const error = await readModelFile(at('broken.json')).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'invalid_model' });
  expect(error.message).toContain(where);
});

test('an absent model is refused by name', async () => {
  const error = await readModelFile(at('absent.json')).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'input_not_found' });
  expect(error.message).toContain('absent.json');
});

test('a model is read with the files of its encoder, and refused if one byte of them is another', async () => {
  const encoder = { ...smallEncoder, file: 'small/model.json' };
  mkdirSync(at('small'), { recursive: true });
  writeFileSync(at('small/model.json'), smallFiles.manifest);
  writeFileSync(at('small/weights.bin'), smallFiles.weights);
  const path = writeModel('images.json', { encoder, keys: { kind: 'random', seed: 'images' } });
  const { model, files } = await readModelFile(path);
  expect(files.encoder).toMatchObject({ weights: new Uint8Array(smallFiles.weights) });
  expect(model.quantiser.inputDimension).toBe(3);
  const changed = Uint8Array.from(smallFiles.weights);
  changed.set([(changed[0] ?? 0) ^ 1]);
  writeFileSync(at('small/weights.bin'), changed);
  await expect(readModelFile(path)).rejects.toMatchObject({ code: 'digest_mismatch' });
});
