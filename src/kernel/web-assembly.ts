/** What is used of the JavaScript API of WebAssembly; TypeScript declares it with the DOM only. */
declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  class Memory {
    constructor(size: { initial: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } });
    readonly exports: unknown;
  }
  function compile(bytes: Uint8Array): Promise<Module>;
}

export type WasmModule = WebAssembly.Module;
export type WasmMemory = WebAssembly.Memory;

export const compileModule = (bytes: Uint8Array): Promise<WasmModule> => WebAssembly.compile(bytes);

/** So many pages of 64 KiB. */
export const newMemory = (initial: number): WasmMemory => new WebAssembly.Memory({ initial });

/** The functions that a module exports, on a memory of the caller's. */
export const functionsOf = (module: WasmModule, memory: WasmMemory): unknown =>
  new WebAssembly.Instance(module, { env: { memory } }).exports;
