import { endianness } from 'node:os';

const NATIVE_IS_LITTLE = endianness() === 'LE';

/**
 * The bytes of a typed array in little-endian order; on a big-endian machine they are swapped in
 * place. `width` is the element size when `array` holds plain bytes.
 */
export function littleEndian(
  array: Int32Array | Float32Array | Float64Array | Uint8Array<ArrayBuffer>,
  width: number = array.BYTES_PER_ELEMENT,
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
  if (!NATIVE_IS_LITTLE && width === 4) bytes.swap32();
  if (!NATIVE_IS_LITTLE && width === 8) bytes.swap64();
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
