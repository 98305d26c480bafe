import { concat } from './bytes.js';

/** Takes bytes apart, from the front. What is wrong with them throws what `invalid` makes. */
export type Reader = {
  readonly bytes: (length: number) => Uint8Array;
  readonly uint32: () => number;
  readonly uint64: () => bigint;
  /** Bytes behind their length (uint32). */
  readonly prefixed: () => Uint8Array;
  /** That nothing is left. */
  readonly end: () => void;
};

export function reader(source: Uint8Array, invalid: (message: string) => Error): Reader {
  let at = 0;
  const bytes = (length: number): Uint8Array => {
    if (length > source.length - at) throw invalid('it ends early');
    at += length;
    // A copy: what is read outlives the source, which the caller may use again.
    return concat(source.subarray(at - length, at));
  };
  const view = (length: number) => new DataView(bytes(length).buffer);
  const uint32 = (): number => view(4).getUint32(0);
  return {
    bytes,
    uint32,
    uint64: () => view(8).getBigUint64(0),
    prefixed: () => bytes(uint32()),
    end: () => {
      if (at !== source.length) throw invalid('it goes on after its end');
    },
  };
}
