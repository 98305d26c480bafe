import { endianness } from 'node:os';
import type { Encoding } from './rows.js';

export const NUMBER_TYPES = ['f2', 'f4', 'f8', 'i1', 'u1'] as const;
export const INTEGER_TYPES = ['i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8'] as const;
export type NumberType = (typeof NUMBER_TYPES)[number];
export type IntegerType = (typeof INTEGER_TYPES)[number];

export type Integers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

const NATIVE_IS_LITTLE = endianness() === 'LE';

/** Bytes of one element. */
export const widthOf = (type: string): number => Number(type.slice(1));

/** The numbers in `bytes`, which are this function's to keep and to swap in place. */
export function decodeNumbers(
  bytes: ArrayBuffer,
  type: NumberType,
  littleEndian: boolean,
): Encoding {
  toNative(bytes, widthOf(type), littleEndian);
  switch (type) {
    case 'f2':
      return decodeHalves(new Uint16Array(bytes));
    case 'f4':
      return new Float32Array(bytes);
    case 'f8':
      return new Float64Array(bytes);
    case 'i1':
      return new Int8Array(bytes);
    case 'u1':
      return new Uint8Array(bytes);
  }
}

/** As decodeNumbers, for integers. */
export function decodeIntegers(
  bytes: ArrayBuffer,
  type: IntegerType,
  littleEndian: boolean,
): Integers {
  toNative(bytes, widthOf(type), littleEndian);
  return new INTEGER_ARRAYS[type](bytes);
}

const INTEGER_ARRAYS = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
} as const;

function toNative(bytes: ArrayBuffer, width: number, littleEndian: boolean): void {
  if (littleEndian === NATIVE_IS_LITTLE || width === 1) return;
  const view = Buffer.from(bytes);
  if (width === 2) view.swap16();
  if (width === 4) view.swap32();
  if (width === 8) view.swap64();
}

let halves: Float32Array | undefined;

function decodeHalves(bits: Uint16Array): Float32Array {
  // All 65,536 values in one table: a look-up for each number, not arithmetic.
  halves ??= Float32Array.from({ length: 0x10000 }, (_, i) => halfToNumber(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i] ?? 0] ?? 0;
  return out;
}

/** The value of an IEEE 754 binary16, every one of which a float32 holds exactly. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent < 31) return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
}
