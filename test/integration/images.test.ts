import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readMatrix } from '#src/cli/input/matrix.js';
import { type Quantiser, quantise } from '#src/model/quantise.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { CLASSES, writeCifar } from '../support/cifar.js';
import { legonet, legonetJson } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { tablesWith } from '../support/tables-with.js';
import { DATA, dataOrSkip } from '../support/tensorflow.js';

const COUNT = 120;
const ENCODER = {
  layer: 'global_average_pooling2d_1',
  input: { width: 128, height: 128 },
  pixels: { divisor: 127.5, offset: 1 },
  dimension: 768,
  scale: 127 / 2.45,
  transform: 'sqrt',
} as const;
/** What every PNG begins with, as it is and in base64. */
const RAW = ['PNG\r\n', 'iVBORw0KGgo'];

dataOrSkip('images of CIFAR-10 through MobileNet', () => {
  let folder: string;
  let target: TestDatabase;
  let database: Database;
  let environment: Record<string, string>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'legonet-test-images-'));
    target = await createTestDatabase();
    database = openDatabase(target.url);
    environment = { DATABASE_URL: target.url, LOG_LEVEL: 'warn' };
    await writeCifar(join(folder, 'images'), COUNT);
  });
  afterAll(async () => {
    await database.close();
    await target.drop();
    rmSync(folder, { recursive: true });
  });
  const at = (name: string) => join(folder, name);
  const json = (...args: string[]) => legonetJson(args, environment);
  const start = async () => {
    expect(await legonet(['start', '--once'], environment)).toMatchObject({ code: 0 });
  };

  const writeModel = async (name: string, changes: object = {}) => {
    const file = join(DATA, 'mobilenet-v1-0.75-224/model.json');
    const files = (await json('encoder', 'digest', file)) as object;
    const model = {
      name: 'photos',
      classes: CLASSES,
      encoder: { ...files, file, ...ENCODER, ...changes },
      keys: { kind: 'random', seed: 'photos', center: 40, spread: 20 },
      adapters: 20,
      activated: 5,
      adapter: { kind: 'least-squares', lambda: 0.1 },
    };
    writeFileSync(at(name), JSON.stringify(model));
    return at(name);
  };

  test('a model whose encoder does not do what it says is not put in force', async () => {
    const model = await writeModel('wrong.json', { dimension: 767 });
    const { code, stderr } = await legonet(['init', model], environment);
    expect(code).toBe(1);
    expect(stderr).toContain('gives 768 numbers, not 767');
    expect(await json('status')).toMatchObject({ model: null });
  });

  test('a folder of images becomes a model, and nothing of the images stays', async () => {
    expect(await json('init', await writeModel('MODEL.json'))).toMatchObject({ created: true });
    const [ingested] = (await json('ingest', at('images'), '--id-prefix', '')) as object[];
    expect(ingested).toMatchObject({ events: COUNT, rejected: 0 });
    expect(await tablesWith(database, RAW[1] ?? '')).toEqual(['log_records']);
    await start();
    expect(await json('status')).toMatchObject({ version: 1, retained: COUNT, dirtyAdapters: 0 });
    for (const raw of RAW) expect(await tablesWith(database, raw)).toEqual([]);
  });

  test('their encodings are the reference’s but for rounding: at least 99 %, none off by more than one', async () => {
    const reference = await readMatrix(join(DATA, 'cifar10-encodings/test-encodings.npy'));
    const quantiser: Quantiser = { inputDimension: ENCODER.dimension, ...ENCODER };
    const { rows } = await database.pool.query<{ id: string; encoding: Buffer }>(
      'SELECT sample_id AS id, encoding FROM samples',
    );
    expect(rows).toHaveLength(COUNT);
    const off = [0, 0, 0];
    for (const { id, encoding } of rows) {
      const row = Number(/(\d+)\.png$/.exec(id)?.[1]) * ENCODER.dimension;
      const values = reference.values.subarray(row, row + ENCODER.dimension);
      quantise(quantiser, values).forEach((value, i) => {
        const far = Math.min(2, Math.abs(value - encoding.readInt8(i)));
        off[far] = (off[far] ?? 0) + 1;
      });
    }
    const [equal = 0, , more] = off;
    expect(equal / (COUNT * ENCODER.dimension)).toBeGreaterThan(0.99);
    expect(more).toBe(0);
  });

  test('the model is the one that is built from scratch, and the same images again change nothing', async () => {
    await json('ingest', at('images'), '--id-prefix', '');
    await start();
    expect(await json('status')).toMatchObject({ version: 1, retained: COUNT });
    for (const raw of RAW) expect(await tablesWith(database, raw)).toEqual([]);
    const checked = await json('rebuild', '--from-scratch', '--check');
    expect(checked).toMatchObject({ equal: true });
  });

  test('a folder and a single image are predicted', async () => {
    const known = (await json('predict', at('images'))) as { label: string; expected: string }[];
    expect(known).toHaveLength(COUNT);
    const right = known.filter(({ label, expected }) => label === expected).length;
    expect(right / COUNT).toBeGreaterThan(0.8);
    copyFileSync(join(at('images'), known[0]?.expected ?? '', '00000.png'), at('one.png'));
    const [one] = (await json('predict', at('one.png'))) as { label: string }[];
    expect(one).toMatchObject({ label: known[0]?.label });
  });

  test('what cannot be decoded is a dead letter, and the others are projected', async () => {
    mkdirSync(at('more/cat'), { recursive: true });
    const whole = readFileSync(join(at('images'), 'airplane/00000.png'));
    writeFileSync(at('more/cat/a.png'), whole.subarray(0, whole.length / 2));
    writeFileSync(at('more/cat/b.png'), whole);
    await json('ingest', at('more'));
    await start();
    const letters = (await json('dead-letters')) as object[];
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({ code: 'input_not_encodable' });
    expect(await json('sample', 'more/cat/b.png')).toMatchObject({ state: 'retained' });
    expect(await json('sample', 'more/cat/a.png')).toMatchObject({ state: 'unknown' });
    // The letter keeps its record for whoever looks into it, until its sample is deleted.
    expect(await tablesWith(database, RAW[1] ?? '')).toEqual(['dead_letters', 'log_records']);
    await json('delete', '--sample', 'more/cat/a.png');
    await start();
    for (const raw of RAW) expect(await tablesWith(database, raw)).toEqual([]);
  });
});
