import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { engines } from '../support/engines.js';

const child = fileURLToPath(new URL('../support/softmax-child.mjs', import.meta.url));
const LINUX = process.platform === 'linux';

async function train(engine: string, environment: Record<string, string>, command: string[] = []) {
  const [file = '', ...given] = [...command, process.execPath, child, engine];
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(file, given, { env });
  return stdout;
}

describe.each(engines)('softmax adapters on the %s engine', (engine) => {
  test('are the same bits in any process, with any number of threads, on any number of cores', async () => {
    const first = await train(engine, {});
    expect(first.trim().split('\n')).toHaveLength(4);
    expect(await train(engine, {})).toBe(first);
    for (const threads of ['1', '2', '8']) {
      expect(await train(engine, { TF_NUM_INTRAOP_THREADS: threads })).toBe(first);
    }
    if (LINUX) expect(await train(engine, {}, ['taskset', '-c', '0'])).toBe(first);
  }, 300_000);
});

test.runIf(engines.length > 1)(
  'softmax adapters are other bits on another engine',
  async () => {
    expect(await train('native', {})).not.toBe(await train('wasm', {}));
  },
  120_000,
);
