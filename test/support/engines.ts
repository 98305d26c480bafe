import { isNativeInstalled } from '#src/engine/choose.js';
import type { Engine } from '#src/engine/engine.js';
import { type OpenedTrainer, openTrainer } from '#src/engine/trainer.js';

/** The engines that this machine has: WebAssembly always, the native one where it is installed. */
export const engines: readonly Engine[] = isNativeInstalled() ? ['wasm', 'native'] : ['wasm'];

/** A thread has one engine for as long as it lives: in tests that train in this thread, WebAssembly. */
export const wasmTrainer = (): Promise<OpenedTrainer> => openTrainer('wasm', null);

/** A softmax adapter's settings with which tests are quick; `changes` replaces fields. */
export const softmax = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  kind: 'softmax',
  steps: 5,
  learningRate: 4,
  seed: 'tests',
  ...changes,
});

const anchors = { kind: 'anchors', seed: 3 };

/** What is unlike least squares by fixed keys: a name, what it changes in a model, and what trains it. */
export async function otherKinds() {
  const { trainer } = await wasmTrainer();
  return [
    ['anchors', { keys: anchors }, null],
    ['softmax adapters', { adapter: softmax() }, trainer],
    ['softmax adapters with anchors', { keys: anchors, adapter: softmax({ batch: 4 }) }, trainer],
  ] as const;
}
