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
    expect(first.trim().split('\n')).toHaveLength(5);
    expect(await train(engine, {})).toBe(first);
    for (const threads of ['1', '2', '8']) {
      expect(await train(engine, { TF_NUM_INTRAOP_THREADS: threads })).toBe(first);
    }
    if (LINUX) expect(await train(engine, {}, ['taskset', '-c', '0'])).toBe(first);
  }, 600_000);
});

describe.runIf(engines.includes('native'))('softmax adapters', () => {
  test('are other bits on another engine, and where TensorFlow computes otherwise; the probe tells', async () => {
    const runs = [await train('wasm', {}), await train('native', {})];
    for (const settings of [
      { ONEDNN_MAX_CPU_ISA: 'SSE41' },
      { ONEDNN_MAX_CPU_ISA: 'AVX2' },
      { TF_ENABLE_ONEDNN_OPTS: '0', TF_NUM_INTRAOP_THREADS: '1' },
      { TF_ENABLE_ONEDNN_OPTS: '0', TF_NUM_INTRAOP_THREADS: '2' },
    ]) {
      runs.push(await train('native', settings));
    }
    const bitsOf = new Map<string, string>();
    for (const [probe = '', ...digests] of runs.map((run) => run.trim().split('\n'))) {
      const bits = digests.join();
      expect(bitsOf.get(probe) ?? bits).toBe(bits);
      bitsOf.set(probe, bits);
    }
    expect(bitsOf.size).toBeGreaterThan(2);
  }, 600_000);
});
