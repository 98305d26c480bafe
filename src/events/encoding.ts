import type { EventErrorCode } from './error.js';
import type { Encoding } from './event.js';
import { LIMITS } from './record.js';

/** An encoding as JSON has it; the bytes in base64, float32 little-endian. */
export type EncodingData =
  | readonly number[]
  | { readonly float32: string }
  | { readonly int8: string };

/** What is wrong with an encoding. */
export type Problem = { readonly code: EventErrorCode; readonly message: string };

const invalid = (message: string): Problem => ({ code: 'invalid_data', message });

/** Reads an encoding and checks every number of it. */
export function decodeEncoding(data: unknown): Encoding | Problem {
  if (Array.isArray(data)) return decodeNumbers(data);
  const { float32, int8 } = Object(data) as Record<string, unknown>;
  if (typeof float32 === 'string' && int8 === undefined) return decodeFloat32(float32);
  if (typeof int8 === 'string' && float32 === undefined) return decodeInt8(int8);
  return invalid('expected an array of numbers, {"float32": base64} or {"int8": base64}');
}

function decodeNumbers(values: readonly unknown[]): Encoding | Problem {
  const wrong = wrongLength(values.length);
  if (wrong) return wrong;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number') return invalid(`expected a number at index ${i}`);
    if (!Number.isFinite(value)) return notFinite(i);
  }
  return { form: 'numbers', values: values as readonly number[] };
}

function decodeFloat32(text: string): Encoding | Problem {
  const bytes = decodeBase64(text);
  if (!bytes) return NOT_BASE64;
  if (bytes.length % 4 !== 0) return invalid('expected four bytes to each float32 number');
  const wrong = wrongLength(bytes.length / 4);
  if (wrong) return wrong;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const values = new Float32Array(bytes.length / 4);
  for (let i = 0; i < values.length; i++) {
    const value = view.getFloat32(i * 4, true);
    if (!Number.isFinite(value)) return notFinite(i);
    values[i] = value;
  }
  return { form: 'float32', values };
}

function decodeInt8(text: string): Encoding | Problem {
  const bytes = decodeBase64(text);
  if (!bytes) return NOT_BASE64;
  const wrong = wrongLength(bytes.length);
  return (
    wrong ?? { form: 'int8', values: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) }
  );
}

export const NOT_BASE64: Problem = invalid('expected base64: standard alphabet, padded');

/**
 * The bytes of base64 (RFC 4648, section 4) in its one canonical form; undefined for any other text. They
 * may lie in one buffer with others.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Node's decoder passes over what it does not know: only writing it again tells.
  return bytes.toString('base64') === text ? bytes : undefined;
}

function wrongLength(length: number): Problem | undefined {
  if (length >= 1 && length <= LIMITS.encodingLength) return undefined;
  return invalid(`expected 1 to ${LIMITS.encodingLength} numbers`);
}

function notFinite(index: number): Problem {
  return { code: 'not_finite', message: `expected a finite number at index ${index}` };
}

/** `values` as the data of an event has them. */
export function int8Data(values: Int8Array): EncodingData {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return { int8: bytes.toString('base64') };
}

/** `values` as the data of an event has them. */
export function float32Data(values: Float32Array): EncodingData {
  const bytes = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => {
    bytes.setFloat32(i * 4, value, true);
  });
  return { float32: Buffer.from(bytes.buffer).toString('base64') };
}
