import { readFile } from 'node:fs/promises';
import { LegonetError } from '../errors.js';
import type { Kernel } from '../model/kernel.js';
import { checked } from './arguments.js';
import { combine, solve } from './cholesky.js';
import { addGram, gram, outer, products } from './int8.js';
import { compileModules, WorkingMemory } from './memory.js';

export type WasmOptions = {
  /** Rows to a panel of the factorisation, a multiple of 4. Changes the speed, never a bit. */
  readonly block?: number;
};

/**
 * The kernel in WebAssembly SIMD, on a memory of its own (up to 1 GiB during a call, at most 64 MiB
 * kept between calls). Each thread loads its own.
 */
export async function loadWasmKernel(options: WasmOptions = {}): Promise<Kernel> {
  const { block = 64 } = options;
  if (!Number.isSafeInteger(block) || block < 4 || block % 4 > 0) {
    throw new LegonetError(
      'kernel_argument',
      `block must be a multiple of 4, got ${block}`,
      'stop',
    );
  }
  const modules = await compileModules((name) => readFile(new URL(`./${name}`, import.meta.url)));
  const memory = new WorkingMemory(modules);
  return checked({
    name: 'wasm',
    gram: (x, rows, columns) => gram(memory, x, rows, columns),
    addGram: (sums, x, rows, columns, sign) => addGram(memory, sums, x, rows, columns, sign),
    outer: (x, rows, columns) => outer(memory, x, rows, columns),
    products: (a, p, b, q, columns) => products(memory, a, p, b, q, columns),
    solve: (a, n, rhs, width, ridge) => solve(memory, block, a, n, rhs, width, ridge),
    combine: (x, rows, columns, c, width) => combine(memory, x, rows, columns, c, width),
  });
}
