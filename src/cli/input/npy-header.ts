import { LegonetError } from '../../errors.js';

/** What a .npy file says of its array. */
export type NpyHeader = {
  /** As NumPy spells it, without the byte order: f4, u1, i8. */
  readonly type: string;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
};

/** Bytes that are enough to learn how long the header is. */
export const PREFIX_BYTES = 12;

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const HEADER_BYTES = 1024 * 1024;

/** Where header text and data begin, from the file's first bytes. Throws `input_malformed`. */
export function headerBounds(prefix: Buffer, name: string): { start: number; end: number } {
  if (prefix.length < PREFIX_BYTES || !prefix.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw malformed(name, 'not a NumPy .npy file');
  }
  const version = prefix.readUInt8(6);
  if (version < 1 || version > 3) {
    throw new LegonetError('input_unsupported', `${name}: .npy version ${version}, not 1 to 3`);
  }
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? prefix.readUInt16LE(8) : prefix.readUInt32LE(8);
  if (length > HEADER_BYTES) throw malformed(name, `a header of ${length} bytes`);
  return { start, end: start + length };
}

/**
 * Reads the header's text, a Python dictionary. Throws `input_malformed`, or `input_unsupported`
 * for Fortran order.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseHeader(text: string, name: string): NpyHeader {
  const descr = /'descr'\s*:\s*'([<>|=]?)([a-zA-Z]\d+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\sL,]*)\)/.exec(text);
  if (!order || !shape) throw malformed(name, 'a .npy header that cannot be read');
  if (!descr) {
    throw new LegonetError('input_unsupported', `${name}: an array of records, not of numbers`);
  }
  if (order[1] === 'True') {
    throw new LegonetError(
      'input_unsupported',
      `${name}: Fortran order; convert it with numpy.save(FILE, numpy.ascontiguousarray(ARRAY))`,
    );
  }
  const sizes = (shape[1] ?? '').split(',').map((size) => size.trim().replace(/L$/, ''));
  return {
    type: descr[2] ?? '',
    littleEndian: descr[1] !== '>',
    shape: sizes.filter((size) => size !== '').map(Number),
  };
}

export function malformed(name: string, reason: string): LegonetError {
  return new LegonetError('input_malformed', `${name}: ${reason}`);
}
