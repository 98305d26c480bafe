import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import type { Kernel } from '#src/model/kernel.js';

/** Every implementation of the exact arithmetic: what a test says of one must hold for all. */
export const kernels: readonly Kernel[] = [plainKernel, await loadWasmKernel()];
