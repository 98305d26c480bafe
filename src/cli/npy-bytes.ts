/** A .npy file of float64 numbers, row-major [rows, columns]: format version 1.0. */
export function npyBytes(rows: number, columns: number, values: Float64Array): Buffer {
  const dictionary = `{'descr': '<f8', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const start = 10;
  // The data begin at a multiple of 64, the header ends with a new line.
  const end = Math.ceil((start + dictionary.length + 1) / 64) * 64;
  const bytes = Buffer.alloc(end + 8 * values.length, ' ');
  bytes.write('\x93NUMPY\x01\x00', 'latin1');
  bytes.writeUInt16LE(end - start, 8);
  bytes.write(`${dictionary}`, start, 'latin1');
  bytes.write('\n', end - 1, 'latin1');
  values.forEach((value, i) => {
    bytes.writeDoubleLE(value, end + 8 * i);
  });
  return bytes;
}
