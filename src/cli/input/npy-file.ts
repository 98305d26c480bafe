import { type FileHandle, open } from 'node:fs/promises';
import { LegonetError } from '../../errors.js';
import { fileSize, notFound } from './chunks.js';
import {
  headerBounds,
  malformed,
  type NpyHeader,
  PREFIX_BYTES,
  parseHeader,
} from './npy-header.js';
import { widthOf } from './npy-values.js';

/** A .npy file whose header was read and found to fit its size. */
export type NpyFile<Type extends string> = {
  readonly path: string;
  readonly type: Type;
  readonly littleEndian: boolean;
  readonly rows: number;
  /** Elements of a row; 1 for a 1-D array. */
  readonly columns: number;
  readonly rowBytes: number;
  readonly dataStart: number;
};

/** What an array must be. */
export type NpyShape<Type extends string> = {
  readonly dimensions: 1 | 2;
  readonly types: readonly Type[];
};

/** Reads a file's header. Throws `input_not_found`, `_malformed`, `_unsupported` or `_truncated`. */
export async function openNpy<Type extends string>(
  path: string,
  shape: NpyShape<Type>,
): Promise<NpyFile<Type>> {
  const size = await fileSize(path);
  const handle = await openFile(path);
  try {
    const prefix = await readUpTo(handle, 0, PREFIX_BYTES);
    const { start, end } = headerBounds(prefix, path);
    if (end > size) throw truncated(path, end, size);
    const text = (await readUpTo(handle, start, end - start)).toString('utf8');
    return describe(parseHeader(text, path), shape, { path, size, dataStart: end });
  } finally {
    await handle.close();
  }
}

/** The file that a header describes. Throws as openNpy does. */
export function describe<Type extends string>(
  header: NpyHeader,
  { dimensions, types }: NpyShape<Type>,
  { path, size, dataStart }: { path: string; size: number; dataStart: number },
): NpyFile<Type> {
  const type = types.find((each) => each === header.type);
  if (type === undefined) {
    throw new LegonetError(
      'input_unsupported',
      `${path}: numbers of type ${header.type}, not one of ${types.join(', ')}`,
    );
  }
  const [rows = 0, columns = 1] = header.shape;
  if (header.shape.length !== dimensions || columns === 0) {
    const expected = dimensions === 1 ? '(N,)' : '(N, d)';
    throw malformed(path, `shape (${header.shape.join(', ')}), not ${expected}`);
  }
  const rowBytes = columns * widthOf(type);
  const expected = dataStart + rows * rowBytes;
  if (size < expected) throw truncated(path, expected, size);
  if (size > expected) throw malformed(path, `${size - expected} bytes after the array's end`);
  return { path, type, littleEndian: header.littleEndian, rows, columns, rowBytes, dataStart };
}

export async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((cause) => {
    throw notFound(path, cause);
  });
}

/** The bytes of some rows, in memory of their own. Throws `input_truncated`. */
export async function readRows(
  handle: FileHandle,
  file: NpyFile<string>,
  first: number,
  count: number,
): Promise<ArrayBuffer> {
  const bytes = new ArrayBuffer(count * file.rowBytes);
  const start = file.dataStart + first * file.rowBytes;
  const read = await fill(handle, start, Buffer.from(bytes));
  if (read < bytes.byteLength) throw truncated(file.path, start + bytes.byteLength, start + read);
  return bytes;
}

async function readUpTo(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, await fill(handle, position, bytes));
}

/** Reads until the buffer is full or the file ends: one read may give less than was asked for. */
async function fill(handle: FileHandle, position: number, into: Buffer): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

function truncated(path: string, expected: number, size: number): LegonetError {
  return new LegonetError(
    'input_truncated',
    `${path}: ends after ${size} of ${expected} bytes; copy it again`,
  );
}
