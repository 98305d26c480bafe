import { readFile } from 'node:fs/promises';
import { type HashPairs, PAIR_BYTES } from '../audit/sets/hash-pairs.js';
import { sha256Constants } from './sha256-constants.js';
import { compileModule, functionsOf, newMemory } from './web-assembly.js';

/** See `assembly/sha256.as.ts`. */
type Sha256Functions = {
  hashPairs(
    pairs: number,
    groups: number,
    prefix: number,
    out: number,
    constants: number,
    work: number,
  ): void;
};

/** Messages hashed side by side. */
const LANES = 4;
/** Messages to a call, which stay in the processor's cache: 64 KiB. */
const BATCH = 1024;

/** Addresses; what is below the first is left to the module. */
const CONSTANTS = 4096;
const WORK = 5120;
const PAIRS = 8192;
const OUT = PAIRS + BATCH * PAIR_BYTES;
/** Of memory, 64 KiB each. */
const PAGES = 2;

/** The hash of sets in WebAssembly SIMD, four nodes at a time. The same bits as `hashPairs` of audit. */
export async function loadHashPairs(): Promise<HashPairs> {
  const module = await compileModule(await readFile(new URL('./sha256.wasm', import.meta.url)));
  const memory = newMemory(PAGES);
  const functions = functionsOf(module, memory) as Sha256Functions;
  const bytes = new Uint8Array(memory.buffer);
  new Uint32Array(memory.buffer, CONSTANTS).set(sha256Constants());
  return (prefix, pairs) => {
    const out = new Uint8Array(pairs.length / 2);
    for (let at = 0; at < pairs.length; at += BATCH * PAIR_BYTES) {
      const batch = pairs.subarray(at, at + BATCH * PAIR_BYTES);
      bytes.set(batch, PAIRS);
      // Lanes that are left over hash what is there, and nobody reads it.
      const groups = Math.ceil(batch.length / PAIR_BYTES / LANES);
      functions.hashPairs(PAIRS, groups, prefix, OUT, CONSTANTS, WORK);
      out.set(bytes.subarray(OUT, OUT + batch.length / 2), at / 2);
    }
    return out;
  };
}
