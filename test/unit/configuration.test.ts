import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  configurationDigest,
  LIMITS,
  parseConfiguration,
  smallestLambda,
} from '#src/model/configuration.js';
import { createModel } from '#src/model/model.js';
import { quantise } from '#src/model/quantise.js';
import { configuration, configurationJson, tinyModel } from '../support/models.js';

const DIGITS = new URL('../../examples/digits/MODEL.json', import.meta.url);
const SHA256 = 'ab'.repeat(32);

/** The valid configuration with the field at `path` set, or taken away by undefined. */
function changed(path: string, value: unknown): unknown {
  const json = structuredClone(configurationJson());
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = json;
  for (const name of names) at = at[name] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return json;
}

describe('MODEL.json', () => {
  test('the example of the digits is valid and pins the file that is there', () => {
    const json = JSON.parse(readFileSync(DIGITS, 'utf8'));
    const { keys } = parseConfiguration(json);
    const file = readFileSync(new URL('reference.npy', DIGITS));
    const sha256 = createHash('sha256').update(file).digest('hex');
    expect(keys).toEqual({ kind: 'reference', file: 'reference.npy', sha256 });
  });

  test.each([
    ['name', undefined],
    ['name', ''],
    ['name', '-starts-with-a-dash'],
    ['name', 'x'.repeat(101)],
    ['classes', ['only one']],
    ['classes', ['a', 'b', 'a']],
    ['classes', Array.from({ length: LIMITS.classes + 1 }, (_, i) => `${i}`)],
    ['classes.0', ''],
    ['classes.0', 'lone surrogate \ud800'],
    ['encoder', undefined],
    ['encoder.kind', 'unknown'],
    ['encoder.dimension', 0],
    ['encoder.dimension', 1.5],
    ['encoder.dimension', LIMITS.dimension + 1],
    ['encoder.scale', 0],
    ['encoder.scale', Number.POSITIVE_INFINITY],
    ['encoder.transform', 'log'],
    [
      'encoder.projection',
      { file: 'p.npy', sha256: SHA256.toUpperCase() },
      'encoder.projection.sha256',
    ],
    ['keys.kind', 'samples'],
    ['keys.seed', undefined],
    ['keys.seed', ''],
    ['keys.seed', 0.5],
    ['keys.center', 'middle'],
    ['keys.spread', []],
    ['keys.spread', [1, 'two']],
    ['keys', { kind: 'reference', file: 'k.npy' }, 'keys.sha256'],
    ['keys', { kind: 'reference', file: '', sha256: SHA256 }, 'keys.file'],
    ['adapters', 0],
    ['adapters', LIMITS.adapters + 1],
    ['activated', 0],
    ['activated', 6],
    ['adapter.kind', 'nearest-mean'],
    ['adapter.lambda', 0],
    ['adapter.lambda', '0.01'],
  ] as [string, unknown, string?][])(
    'a wrong %s (%o) is refused by name',
    (path, value, named = path) => {
      expect(() => parseConfiguration(changed(path, value))).toThrow(
        expect.objectContaining({
          code: 'invalid_model',
          message: expect.stringMatching(new RegExp(`^${named.replaceAll('.', '\\.')}: .`)),
        }),
      );
    },
  );

  test.each(['surprise', 'encoder.surprise', 'keys.surprise', 'adapter.surprise'])(
    'a field that means nothing (%s) is refused: a misspelt option must not be ignored',
    (path) => {
      expect(() => parseConfiguration(changed(path, 1))).toThrow(/Unrecognized key: "surprise"/);
    },
  );

  test.each([
    ['keys.center', 'middle', 'keys.center: a number, or a list with one for each dimension'],
    ['keys.seed', 0.5, 'keys.seed: a text or a whole number'],
    ['activated', 6, 'activated: at most the number of adapters'],
  ])('the message for %s says what was expected', (path, value, message) => {
    expect(() => parseConfiguration(changed(path, value))).toThrow(message);
  });

  test.each([
    [{ analyzer: 'letters' }, 'encoder.analyzer'],
    [{ ngrams: [3, 1] }, 'encoder.ngrams'],
    [{ ngrams: [1, LIMITS.gramLength + 1] }, 'encoder.ngrams.1'],
    [{ norm: 'l1' }, 'encoder.norm'],
    [{ transform: 'sqrt' }, 'encoder.transform'],
  ])('of texts without a valid encoder is refused: %o', (changes, field) => {
    const texts = { kind: 'hashing-text', dimension: 8, scale: 1, analyzer: 'word', ...changes };
    expect(() => parseConfiguration(configurationJson({ encoder: texts }))).toThrow(
      expect.objectContaining({ code: 'invalid_model', message: expect.stringContaining(field) }),
    );
  });

  test('of texts may take the root of counts that are never negative', () => {
    const counts = { analyzer: 'word', alternateSign: false, transform: 'sqrt' };
    const texts = { kind: 'hashing-text', dimension: 8, scale: 1, ...counts };
    expect(parseConfiguration(configurationJson({ encoder: texts })).encoder).toEqual(texts);
  });

  test.each([[null], [[]], ['text'], [1]])('%o is not a configuration', (json) => {
    expect(() => parseConfiguration(json)).toThrow(/^MODEL\.json: /);
  });
});

describe('the configuration digest', () => {
  const reference = (file: string, sha256: string) =>
    configuration({ keys: { kind: 'reference', file, sha256 } });

  test('of the digits is this value in every release', () => {
    const digits = parseConfiguration(JSON.parse(readFileSync(DIGITS, 'utf8')));
    expect(configurationDigest(digits)).toBe(
      '041ce5bc97b28c49c950ff0f6f46ffade40a9b59786d7476913e78590359e9d8',
    );
  });

  test('depends on what a file holds, not on where it is', () => {
    const digest = configurationDigest(reference('keys.npy', SHA256));
    expect(configurationDigest(reference('/elsewhere/k.npy', SHA256))).toBe(digest);
    expect(configurationDigest(reference('keys.npy', 'cd'.repeat(32)))).not.toBe(digest);
  });

  test('does not depend on the order of fields', () => {
    const json = configurationJson();
    const backwards = Object.fromEntries(Object.entries(json).reverse());
    expect(Object.keys(backwards)).not.toEqual(Object.keys(json));
    expect(configurationDigest(parseConfiguration(backwards))).toBe(
      configurationDigest(parseConfiguration(json)),
    );
  });

  test.each([
    ['name', 'other'],
    ['classes', ['b', 'a', 'c']],
    ['encoder.scale', 1.0000000000000002],
    ['encoder.transform', 'sqrt'],
    ['keys.seed', 'other'],
    ['keys.spread', 32],
    ['adapters', 6],
    ['activated', 3],
    ['adapter.lambda', 0.010000000000000002],
  ])('changes with %s', (path, value) => {
    expect(configurationDigest(parseConfiguration(changed(path, value)))).not.toBe(
      configurationDigest(configuration()),
    );
  });
});

describe('a model is put together only if its parts fit', () => {
  const matrix = (rows: number, columns: number, value = 1) => ({
    rows,
    columns,
    values: new Float64Array(rows * columns).fill(value),
  });
  const pinned = { file: 'f.npy', sha256: SHA256 };
  const referenced = configuration({ keys: { kind: 'reference', ...pinned } });
  const projected = configuration({
    encoder: { kind: 'identity', dimension: 4, scale: 1, projection: pinned },
  });

  const offset = configuration({
    encoder: {
      kind: 'identity',
      dimension: 4,
      scale: 1,
      projection: { ...pinned, offset: true },
    },
  });

  test('with an offset, the last column of the projection is added to what the others give', () => {
    const values = Float64Array.of(1, 0, 0, 2, -3, 0, 1, 1, 0, 10);
    const { quantiser } = createModel(offset, { projection: { rows: 2, columns: 5, values } });
    expect(quantise(quantiser, [5, 6, 7, 8])).toEqual(Int8Array.of(18, 23));
  });

  test('the projection sets the dimension of encodings, keys and adapters', () => {
    const model = createModel(projected, { projection: matrix(2, 4) });
    expect(model.quantiser).toMatchObject({ inputDimension: 4, dimension: 2 });
    expect(model.keys).toMatchObject({ adapters: 5, dimension: 2 });
    expect(model.shape).toEqual({ dimension: 2, classes: 3 });
  });

  test('int8 reference keys have the dimension of the encodings, others that of the input', () => {
    const both = { ...projected, keys: referenced.keys };
    const projection = matrix(2, 4);
    const int8 = { rows: 5, columns: 2, values: new Int8Array(10).fill(-128) };
    expect(createModel(both, { projection, keys: int8 }).keys?.values).toEqual(int8.values);
    const float = createModel(both, { projection, keys: matrix(5, 4) });
    expect(float.keys?.values).toEqual(new Int8Array(10).fill(4));
    expect(() => createModel(both, { projection, keys: matrix(5, 2) })).toThrow(
      'keys.file: 2 columns, not 4',
    );
  });

  test.each([
    ['encoder.projection: 0 columns, not 4', projected, {}],
    ['encoder.projection: 3 columns, not 4', projected, { projection: matrix(2, 3) }],
    ['encoder.projection: 4 columns, not 5', offset, { projection: matrix(2, 4) }],
    ['encoder.projection: 0 rows, not 1 to 4096', projected, { projection: matrix(0, 4) }],
    ['encoder.projection: 4097 rows, not 1 to 4096', projected, { projection: matrix(4097, 4) }],
    [
      'encoder.projection: every number must be finite',
      projected,
      { projection: matrix(2, 4, Number.NaN) },
    ],
    ['keys.file: 0 columns, not 4', referenced, {}],
    ['keys.file: 3 columns, not 4', referenced, { keys: matrix(5, 3) }],
    ['keys.file has 4 rows, fewer than the 5 adapters', referenced, { keys: matrix(4, 4) }],
    [
      'keys.file, row 0: encoding is not a finite number at index 0',
      referenced,
      { keys: matrix(5, 4, Number.NaN) },
    ],
  ])('%s', (message, parsed, files) => {
    expect(() => createModel(parsed, files)).toThrow(
      expect.objectContaining({ code: 'invalid_model', message }),
    );
  });

  test('a lambda too small for Cholesky at this dimension is refused before anything is built', () => {
    const lambda = smallestLambda(5);
    expect(tinyModel({ adapter: { kind: 'least-squares', lambda } }).shape.dimension).toBe(4);
    expect(() => tinyModel({ adapter: { kind: 'least-squares', lambda: lambda * 0.99 } })).toThrow(
      /^adapter\.lambda: at least .* at dimension 4$/,
    );
  });

  test('class indices follow the order of the configuration', () => {
    expect([...tinyModel().classIndex]).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 2],
    ]);
  });
});
