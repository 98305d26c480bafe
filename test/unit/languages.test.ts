import { expect, test } from 'vitest';
import { LocalModel } from '#src/client/local-model.js';
import { openEncoder } from '#src/engine/open-encoder.js';
import { LegonetError } from '#src/errors.js';
import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { type BuiltModel, buildModel } from '#src/model/build.js';
import { encodeInputs } from '#src/model/encoder.js';
import { readAdapter } from '#src/model/keyed.js';
import type { Model } from '#src/model/model.js';
import { languagesModel, readTexts, type Text } from '../support/languages.js';
import { rowsOf, tinyModel } from '../support/models.js';
import { NO_FILES } from '../support/tfjs-models.js';

const stream = readTexts('stream.csv.gz');
const held = readTexts('test.csv.gz');
const model = languagesModel();

async function encode(texts: readonly Text[]): Promise<Int8Array> {
  const encoder = await openEncoder(model, NO_FILES);
  const inputs = texts.map(({ text }) => ({ form: 'text', text }) as const);
  const { dimension } = model.shape;
  const rows = new Int8Array(texts.length * dimension);
  (await encodeInputs({ model, encoder }, inputs)).forEach((row, i) => {
    if (row instanceof LegonetError) throw row;
    rows.set(row, i * dimension);
  });
  return rows;
}

/** As a subscriber holds it. */
function localModel(of: Model, { modelDigest, adapters }: BuiltModel): LocalModel {
  const local = new LocalModel(of, plainKernel);
  const weights = adapters.map(({ digest }) => digest);
  const fetched = new Map(adapters.map(({ digest, bytes }) => [digest, readAdapter(of, bytes)]));
  local.adopt({ version: 1, modelDigest, weights }, fetched);
  return local;
}

test('the languages example has 3,651 texts to stream and 902 to test, in the 26 languages of its model', () => {
  expect([stream.length, held.length]).toEqual([3651, 902]);
  for (const texts of [stream, held]) {
    expect(new Set(texts.map(({ label }) => label))).toEqual(new Set(model.configuration.classes));
  }
  const known = new Set(stream.map(({ text }) => text));
  expect(held.filter(({ text }) => known.has(text)).length).toBeLessThan(10);
});

test('the texts give this model for ever, which tells 95.9 % of unseen texts apart', async () => {
  const kernel = await loadWasmKernel();
  const labels = stream.map(({ label }) => model.classIndex.get(label) ?? -1);
  const built = buildModel(kernel, model, { encodings: await encode(stream), labels });
  expect(built.modelDigest).toBe(
    'c8dc8b91ec81bbb3e39968318c767a58895186de23ece3144637a547c7bbe360',
  );
  const local = localModel(model, built);
  const { predictions: predicted } = local.predict(held.map(({ text }) => text));
  const right = predicted.filter(({ label }, i) => label === held[i]?.label).length;
  expect((100 * right) / held.length).toBeCloseTo(95.9, 1);
});

test('a text is nothing to predict for a model of encodings', () => {
  const other = tinyModel();
  const local = localModel(other, buildModel(plainKernel, other, rowsOf([])));
  expect(() => local.predict(['a text'])).toThrow(
    expect.objectContaining({ code: 'input_not_encodable' }),
  );
});
