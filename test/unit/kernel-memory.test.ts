import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compileModules, WorkingMemory } from '#src/kernel/memory.js';

const directory = new URL('.', import.meta.resolve('#src/kernel/memory.js'));
const modules = await compileModules((name) => readFile(new URL(name, directory)));
const MIB = 2 ** 20;

/** Bytes of working memory behind a call that asks for `bytes`. */
const behind = (memory: WorkingMemory, bytes: number): number =>
  memory.use({ area: bytes }, (machine) => machine.bytes.length);

test('working memory is kept between calls up to 64 MiB, and given back beyond', () => {
  const memory = new WorkingMemory(modules);
  expect(behind(memory, 32 * MIB)).toBeGreaterThanOrEqual(32 * MIB);
  expect(behind(memory, 1)).toBeGreaterThanOrEqual(32 * MIB);
  expect(behind(memory, 65 * MIB)).toBeGreaterThanOrEqual(65 * MIB);
  expect(behind(memory, 1)).toBeLessThan(MIB);
});

test('working memory is given back after a call that fails, too', () => {
  const memory = new WorkingMemory(modules);
  const failing = () =>
    memory.use({ area: 65 * MIB }, () => {
      throw new Error('failed');
    });
  expect(failing).toThrow('failed');
  expect(behind(memory, 1)).toBeLessThan(MIB);
});

test('more than 1 GiB of working memory is refused, and what was there still serves', () => {
  const memory = new WorkingMemory(modules);
  expect(() => behind(memory, 1024 * MIB)).toThrow(
    expect.objectContaining({ code: 'kernel_limit' }),
  );
  expect(behind(memory, 1)).toBeLessThan(MIB);
});

test('areas are 64-aligned and do not overlap', () => {
  const memory = new WorkingMemory(modules);
  const at = memory.use({ a: 1, b: 0, c: 100, d: 4 }, (_, areas) => areas);
  expect(Object.values(at).every((address) => address > 0 && address % 64 === 0)).toBe(true);
  expect(at.b).toBeGreaterThan(at.a);
  expect(at.c).toBeGreaterThan(at.b);
  expect(at.d).toBeGreaterThanOrEqual(at.c + 100);
});
