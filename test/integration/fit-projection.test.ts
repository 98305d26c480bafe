import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readModelFile } from '#src/cli/model-file.js';
import { legonet } from '../support/cli.js';
import { writeNpy } from '../support/npy.js';

const folder = mkdtempSync(join(tmpdir(), 'legonet-test-projection-'));
const environment = { LEGONET_DATA_DIR: join(folder, 'never-made') };
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

test('what `encoder fit-projection` prints is an encoder of a model, and opens no database', async () => {
  const values = Array.from({ length: 60 }, (_, i) => Math.abs(Math.sin(i * i)) + (i % 3));
  writeNpy(at('reference.npy'), { type: 'f4', shape: [20, 3], values });
  const args = ['encoder', 'fit-projection', at('reference.npy'), '--components', '2'];
  const where = ['--transform', 'sqrt', '-o', at('projection.npy'), '--json'];
  const { code, stdout, stderr } = await legonet([...args, ...where], environment);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const printed = JSON.parse(stdout) as { explained: number; encoder: object };
  expect(printed.explained).toBeGreaterThan(0.5);
  const example = JSON.parse(readFileSync('examples/digits/MODEL.json', 'utf8')) as object;
  const encoder = { kind: 'identity', ...printed.encoder };
  const keys = { kind: 'random', seed: 1 };
  writeFileSync(at('MODEL.json'), JSON.stringify({ ...example, encoder, keys }));
  const { model } = await readModelFile(at('MODEL.json'));
  expect(model.quantiser).toMatchObject({ inputDimension: 3, dimension: 2, transform: 'sqrt' });
  expect(existsSync(environment.LEGONET_DATA_DIR)).toBe(false);
});

test('what cannot be written or was not meant is said, with the exit code of wrong usage or failure', async () => {
  const args = ['encoder', 'fit-projection', at('reference.npy'), '--components'];
  const bad = await legonet([...args, 'x', '-o', at('p.npy')], environment);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('whole number') });
  const unwritable = await legonet([...args, '2', '-o', at('no/p.npy')], environment);
  expect(unwritable).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('output_unwritable'),
  });
  const transform = await legonet(
    [...args, '2', '-o', at('p.npy'), '--transform', 'log'],
    environment,
  );
  expect(transform).toMatchObject({ code: 2, stderr: expect.stringContaining('sqrt') });
});
