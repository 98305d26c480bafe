import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ATTRIBUTES } from '#src/engine/native.js';
import { nativeOrSkip } from '../support/tensorflow.js';

const CHILD = fileURLToPath(new URL('../support/native-threads-child.mjs', import.meta.url));
/** Of one that meets them unprepared, the odds to survive are one in seven. */
const PROCESSES = 4;

nativeOrSkip('the native engine in several threads', () => {
  test.for([
    ['encoder', 'engine_model'],
    ['trainer', 'engine_mismatch'],
  ] as const)(
    'may meet its attributes for the first time in all at once: %s',
    async ([opener, code], { signal }) => {
      for (let i = 0; i < PROCESSES; i++) {
        const { stdout } = await promisify(execFile)(process.execPath, [CHILD, opener], { signal });
        expect(stdout.trim()).toBe(code);
      }
    },
  );

  test('has no attributes but those that are known', () => {
    const named = sources().flatMap((source) =>
      [...source.matchAll(/name: '(\w+)',\s*type:|OpAttr\)?\('(\w+)'/g)].map(([, a, b]) => a ?? b),
    );
    expect([...new Set(named)].sort()).toEqual(ATTRIBUTES);
  });
});

/** The package's own, but its tests. */
function sources(): string[] {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('@tensorflow/tfjs-node/package.json')), 'dist');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js') && !path.endsWith('_test.js'))
    .map((path) => readFileSync(join(folder, path), 'utf8'));
}
