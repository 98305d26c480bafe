import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { LegonetError } from '../../errors.js';

const CHUNK_BYTES = 512 * 1024;

/** A file's content, decompressed if its name ends in .gz, and how far into the file that is. */
export type Source = {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly bytesRead: () => number;
};

/** Size of a regular file. Throws `input_not_found` or `input_unsupported`. */
export async function fileSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause) => {
    throw notFound(path, cause);
  });
  if (found.isFile()) return found.size;
  throw new LegonetError('input_unsupported', `${path}: not a regular file`);
}

/** Why a file could not be opened, for the one who named it. */
export function notFound(path: string, cause: unknown): LegonetError {
  const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : 'unreadable';
  return new LegonetError('input_not_found', `${path}: ${reason}`, 'terminal', { cause });
}

/** Reads a file front to back. Throws `input_truncated` or `input_malformed` for damaged gzip. */
export function readChunks(path: string): Source {
  let file: ReadStream | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
    const zipped = path.toLowerCase().endsWith('.gz');
    const stream = zipped
      ? // Errors are seen by the loop below, which also ends the file when it is left early.
        pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {})
      : file;
    try {
      for await (const chunk of stream) yield chunk;
    } catch (cause) {
      throw readError(path, cause);
    }
  }
  return { chunks: chunks(), bytesRead: () => file?.bytesRead ?? 0 };
}

function readError(path: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (code === 'Z_BUF_ERROR') {
    return new LegonetError('input_truncated', `${path}: the gzip data ends early`, 'terminal', {
      cause,
    });
  }
  if (code.startsWith('Z_')) {
    return new LegonetError('input_malformed', `${path}: not valid gzip data`, 'terminal', {
      cause,
    });
  }
  if (code.startsWith('E')) return notFound(path, cause);
  return cause;
}
