import { LegonetError } from '../errors.js';
import {
  compileModule,
  functionsOf,
  newMemory,
  type WasmMemory,
  type WasmModule,
} from './web-assembly.js';

/** See `assembly/int8.as.ts`. Addresses and lengths are in bytes where they are not counts. */
type Int8Functions = {
  multiply(a: number, b: number, count: number, pairs: number, c: number, stride: number): void;
  addSquares(sums: number, row: number, n: number, sign: number): void;
  packColumns(x: number, stride: number, pairs: number, strips: number, out: number): void;
  packRows(x: number, terms: number, out: number): void;
};

/** See `assembly/cholesky.as.ts`. */
type CholeskyFunctions = {
  update(a: number, b: number, c: number, rows: number): void;
  advance(
    u: number,
    strip: number,
    first: number,
    last: number,
    from: number,
    to: number,
    diagonal: number,
  ): number;
  retreat(u: number, s: number, rhs: number): void;
  setRow(u: number, i: number, n: number, row: number): void;
  setStrips(first: number, height: number, rows: number, x: number, width: number): void;
  getStrips(first: number, height: number, rows: number, x: number, width: number): void;
  setNegated(first: number, height: number, rows: number, x: number, width: number): void;
};

/** Both modules on one memory, and the views of it. */
export type Machine = {
  readonly int8: Int8Functions;
  readonly cholesky: CholeskyFunctions;
  readonly bytes: Int8Array;
  readonly ints: Int32Array;
  readonly doubles: Float64Array;
};

export type Modules = Readonly<Record<'int8' | 'cholesky', WasmModule>>;

export async function compileModules(
  read: (name: string) => Promise<Uint8Array>,
): Promise<Modules> {
  const compile = async (name: string) => compileModule(await read(name));
  const [int8, cholesky] = await Promise.all([compile('int8.wasm'), compile('cholesky.wasm')]);
  return { int8, cholesky };
}

const PAGE = 65_536;
/** Addresses below are left to the modules; 0 stays unused. */
const BASE = 1024;
/** Vector loads and stores may pass the end of an area by less. */
const SLACK = 32;
/** The most a call may use: a square system of 16,000, or the sums of 23,000 columns. */
const LIMIT = 2 ** 30;
/** A memory cannot shrink. One that grew beyond this is dropped after the call. */
const KEEP = 2 ** 26;

/** Working memory of one kernel. Nothing in it survives a call. */
export class WorkingMemory {
  #memory: WasmMemory | undefined;
  #machine: Machine | undefined;

  constructor(readonly modules: Modules) {}

  /**
   * Calls `work` with the addresses of areas of `sizes` bytes (64-aligned, contents arbitrary, with
   * SLACK bytes to spare after each). Throws `kernel_limit` beyond 1 GiB.
   */
  use<Name extends string, Result>(
    sizes: Readonly<Record<Name, number>>,
    work: (machine: Machine, at: Readonly<Record<Name, number>>) => Result,
  ): Result {
    const at: Record<string, number> = {};
    let end = BASE;
    for (const name in sizes) {
      at[name] = end;
      end += Math.ceil((sizes[name] + SLACK) / 64) * 64;
    }
    const machine = this.#sized(end);
    try {
      return work(machine, at as Record<Name, number>);
    } finally {
      if (machine.bytes.length > KEEP) this.#memory = this.#machine = undefined;
    }
  }

  #sized(size: number): Machine {
    if (size > LIMIT) {
      const message = `needs ${size} bytes of working memory, at most ${LIMIT}: use fewer dimensions`;
      throw new LegonetError('kernel_limit', message);
    }
    if (this.#machine && this.#machine.bytes.length >= size) return this.#machine;
    try {
      this.#memory ??= newMemory(1);
      const missing = size - this.#memory.buffer.byteLength;
      if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    } catch (cause) {
      const message = `no ${size} bytes of memory left for the kernel`;
      throw new LegonetError('kernel_memory', message, 'retryable', { cause });
    }
    this.#machine = instantiate(this.modules, this.#memory, this.#machine);
    return this.#machine;
  }
}

function instantiate(modules: Modules, memory: WasmMemory, former?: Machine): Machine {
  return {
    int8: former?.int8 ?? (functionsOf(modules.int8, memory) as Int8Functions),
    cholesky: former?.cholesky ?? (functionsOf(modules.cholesky, memory) as CholeskyFunctions),
    bytes: new Int8Array(memory.buffer),
    ints: new Int32Array(memory.buffer),
    doubles: new Float64Array(memory.buffer),
  };
}
