import { expect, test } from 'vitest';
import { chooseEngine, chooseTrainingEngine, engineOf } from '#src/engine/choose.js';
import { readSettings } from '#src/settings.js';

const there = () => true;
const missing = () => false;

test('the engine that is asked for is the one that is chosen', () => {
  expect(chooseEngine('native', there)).toBe('native');
  expect(chooseEngine('wasm', there)).toBe('wasm');
  expect(chooseEngine('wasm', missing)).toBe('wasm');
});

test('by default it is the native one where that is installed', () => {
  expect(chooseEngine(undefined, there)).toBe('native');
  expect(chooseEngine(undefined, missing)).toBe('wasm');
});

test('the native one is never replaced by another: without it there is an error with a remedy', () => {
  expect(() => chooseEngine('native', missing)).toThrow(
    expect.objectContaining({
      code: 'engine_not_installed',
      message: expect.stringContaining('npm run install:tensorflow'),
    }),
  );
});

test('a model goes on being trained on its own engine, and is told of no other', () => {
  expect(chooseTrainingEngine(undefined, 'native', there)).toBe('native');
  expect(chooseTrainingEngine(undefined, 'wasm', there)).toBe('wasm');
  expect(chooseTrainingEngine('wasm', 'native', missing)).toBe('wasm');
  expect(chooseTrainingEngine(undefined, undefined, missing)).toBe('wasm');
  expect(() => chooseTrainingEngine(undefined, 'native', missing)).toThrow(
    expect.objectContaining({
      code: 'engine_not_installed',
      message: expect.not.stringContaining('wasm'),
    }),
  );
});

test('only models with a tfjs encoder or softmax adapters have one', () => {
  const kinds = (encoder: string, adapter: string) => ({
    encoder: { kind: encoder },
    adapter: { kind: adapter },
  });
  expect(engineOf(kinds('identity', 'least-squares'), 'wasm')).toBeNull();
  expect(engineOf(kinds('hashing-text', 'least-squares'), 'wasm')).toBeNull();
  expect(engineOf(kinds('tfjs', 'least-squares'), 'wasm')).toBe('wasm');
  expect(engineOf(kinds('identity', 'softmax'), 'wasm')).toBe('wasm');
});

test('the setting is native or wasm, and nothing else', () => {
  expect(readSettings({}).engine).toBeUndefined();
  expect(readSettings({ LEGONET_ENGINE: 'wasm' }).engine).toBe('wasm');
  expect(() => readSettings({ LEGONET_ENGINE: 'gpu' })).toThrow(
    expect.objectContaining({
      code: 'invalid_setting',
      message: 'LEGONET_ENGINE: expected one of native, wasm',
    }),
  );
});
