import { writeFileSync } from 'node:fs';

export type NpyArray = {
  /** As NumPy spells it, without byte order: f2, f4, f8, i1, u1, i2, ... For f2: the bits. */
  readonly type: string;
  readonly shape: readonly number[];
  readonly values: Iterable<number>;
  readonly bigEndian?: boolean;
  readonly version?: 1 | 2 | 3;
  readonly fortranOrder?: boolean;
};

/** The bytes of a .npy file, written from the format's description, not with the reader's code. */
export function npyBytes(array: NpyArray): Buffer {
  const { type, shape, values, bigEndian = false, version = 1, fortranOrder = false } = array;
  const width = Number(type.slice(1));
  const order = width === 1 ? '|' : bigEndian ? '>' : '<';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary =
    `{'descr': '${order}${type}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, ` +
    `'shape': (${sizes}), }`;
  const start = version === 1 ? 10 : 12;
  const end = Math.ceil((start + dictionary.length + 1) / 64) * 64;
  const header = Buffer.alloc(end, ' ');
  header.write('\x93NUMPY', 'latin1');
  header.writeUInt8(version, 6);
  header.writeUInt8(0, 7);
  if (version === 1) header.writeUInt16LE(end - start, 8);
  else header.writeUInt32LE(end - start, 8);
  header.write(dictionary, start, 'latin1');
  header.write('\n', end - 1);
  const elements = [...values].map((value) => element(type, value, bigEndian));
  return Buffer.concat([header, ...elements]);
}

export function writeNpy(path: string, array: NpyArray): string {
  writeFileSync(path, npyBytes(array));
  return path;
}

function element(type: string, value: number, bigEndian: boolean): Buffer {
  const view = new DataView(new ArrayBuffer(Number(type.slice(1))));
  const little = !bigEndian;
  if (type === 'f2' || type === 'u2') view.setUint16(0, value, little);
  else if (type === 'i2') view.setInt16(0, value, little);
  else if (type === 'f4') view.setFloat32(0, value, little);
  else if (type === 'f8') view.setFloat64(0, value, little);
  else if (type === 'i1') view.setInt8(0, value);
  else if (type === 'u1') view.setUint8(0, value);
  else if (type === 'i4') view.setInt32(0, value, little);
  else if (type === 'u4') view.setUint32(0, value, little);
  else if (type === 'i8') view.setBigInt64(0, BigInt(value), little);
  else if (type === 'u8') view.setBigUint64(0, BigInt(value), little);
  else throw new Error(`no such type: ${type}`);
  return Buffer.from(view.buffer);
}
