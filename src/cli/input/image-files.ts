import { extname } from 'node:path';
import { LegonetError } from '../../errors.js';
import { readChunks } from './chunks.js';
import { csvRecords } from './csv-records.js';
import { walk } from './folder.js';

/** An image before it is read. */
export type ImageFile = {
  /** From the folder on, with `/` between its names. */
  readonly path: string;
  readonly label: string | null;
  readonly subjectId?: string | undefined;
  /** Why it cannot be taken. */
  readonly problem?: string;
};

/** Images one by one, always in the same order, and how far into the whole they are. */
export type ImageFiles = {
  readonly files: AsyncIterable<ImageFile>;
  readonly bytesRead: () => number;
};

const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.webp', 'image/webp'],
]);
export const ENDINGS = [...MEDIA_TYPES.keys()].join(', ');

/** By the ending of its name; undefined for what is no image. */
export const mediaTypeOf = (path: string): string | undefined =>
  MEDIA_TYPES.get(extname(path).toLowerCase());

/** The images of a folder; each one's label is the folder of the first level that it is in. */
export function imagesIn(folder: string): ImageFiles {
  let done = 0;
  async function* files(): AsyncGenerator<ImageFile> {
    for await (const { path, bytes } of walk(folder)) {
      if (mediaTypeOf(path) === undefined) continue;
      done += bytes;
      yield { path, label: labelOf(path) };
    }
  }
  return { files: files(), bytesRead: () => done };
}

/** The folder of the first level that a file is in. */
export function labelOf(path: string): string | null {
  const end = path.indexOf('/');
  return end > 0 ? path.slice(0, end) : null;
}

/**
 * The images that a CSV names, in its order: columns `file` (from the folder on), `label` and, if there are
 * any, `subject`. Throws `input_malformed` or `input_truncated` while it is read.
 */
export function imagesNamed(labels: string): ImageFiles {
  const { chunks, bytesRead } = readChunks(labels);
  async function* files(): AsyncGenerator<ImageFile> {
    let columns: ReturnType<typeof readHeader> | undefined;
    for await (const record of csvRecords(chunks, labels)) {
      if (columns) yield toImage(record, columns);
      else columns = readHeader(record, labels);
    }
  }
  return { files: files(), bytesRead };
}

function readHeader(record: readonly string[], name: string) {
  const names = record.map((field) => field.trim().toLowerCase());
  const [file = -1, label = -1, subject = -1] = ['file', 'label', 'subject'].map((column) =>
    names.indexOf(column),
  );
  if (file >= 0 && label >= 0) return { count: names.length, file, label, subject };
  throw new LegonetError(
    'input_malformed',
    `${name}: its first line must name the columns: file, label and, if there are any, subject`,
  );
}

function toImage(
  record: readonly string[],
  { count, file, label, subject }: ReturnType<typeof readHeader>,
): ImageFile {
  const text = (column: number) => (record[column] ?? '').trim();
  const image = {
    path: text(file).replace(/^(\.\/)+/, ''),
    label: text(label),
    // A sample need not belong to a subject.
    subjectId: text(subject) || undefined,
  };
  if (record.length !== count) {
    return { ...image, problem: `its line has ${record.length} fields, not ${count}` };
  }
  const outside = image.path.split('/').some((name) => ['', '.', '..'].includes(name));
  return outside ? { ...image, problem: 'is not a file of the folder' } : image;
}
