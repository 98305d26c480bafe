import { endianness } from 'node:os';

const NATIVE_IS_LITTLE = endianness() === 'LE';

/**
 * The bytes of a typed array in little-endian order: a view of it, or on a big-endian machine a
 * swapped copy. `width` is the element size when `array` holds plain bytes.
 */
export function littleEndian(
  array: Int32Array | Float32Array | Float64Array | Uint8Array,
  width: number = array.BYTES_PER_ELEMENT,
): Uint8Array<ArrayBuffer> {
  const view = new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
  if (NATIVE_IS_LITTLE) return view;
  const copy = Buffer.from(view);
  if (width === 4) copy.swap32();
  if (width === 8) copy.swap64();
  return new Uint8Array(copy);
}
