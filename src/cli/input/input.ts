import { basename } from 'node:path';
import { LegonetError } from '../../errors.js';
import { batches } from './batches.js';
import { fileSize, readChunks } from './chunks.js';
import { readCsv } from './csv.js';
import { isFolder } from './folder.js';
import { ENDINGS, mediaTypeOf } from './image-files.js';
import { openImage, openImages } from './images.js';
import { openLabels } from './labels.js';
import { readNdjson } from './ndjson.js';
import { openEncodings, readNpy } from './npy.js';
import type { Input, InputOptions } from './rows.js';

const FORMATS = [
  ['.csv', 'csv'],
  ['.csv.gz', 'csv'],
  ['.ndjson', 'ndjson'],
  ['.ndjson.gz', 'ndjson'],
  ['.jsonl', 'ndjson'],
  ['.jsonl.gz', 'ndjson'],
  ['.npy', 'npy'],
] as const;

const BATCH_ROWS = 1000;

/**
 * Opens a file of samples by the ending of its name, or a folder of images; rows come in batches, in
 * constant memory. Throws `input_not_found`, `input_unsupported`, `input_malformed`, `input_truncated`,
 * `labels_missing`, `labels_mismatch` or `unknown_label`, here or while rows are read; a single row
 * that cannot be read is a `bad` row instead.
 */
export async function openInput(path: string, options: InputOptions = {}): Promise<Input> {
  if (await isFolder(path)) return openImages(path, options);
  if (mediaTypeOf(path) !== undefined) return openImage(path, options);
  const format = formatOf(path);
  const totalBytes = await fileSize(path);
  const idPrefix = options.idPrefix ?? `${stem(path)}-`;
  const { unlabelled = false, texts = false } = options;
  if (format === 'npy') return openNpyInput(path, totalBytes, { ...options, idPrefix, unlabelled });
  if (options.labels !== undefined) {
    throw new LegonetError('input_unsupported', `${path}: --labels is for .npy files and folders`);
  }
  return {
    format,
    totalBytes,
    batches(signal) {
      const source = readChunks(path);
      const groups =
        format === 'csv'
          ? readCsv(source.chunks, { name: path, idPrefix, unlabelled, texts })
          : readNdjson(source.chunks);
      return batches(groups, {
        firstRow: 0,
        skip: options.from ?? 0,
        limit: options.limit ?? Number.POSITIVE_INFINITY,
        batchRows: options.batchRows ?? BATCH_ROWS,
        bytesRead: source.bytesRead,
        signal,
      });
    },
  };
}

async function openNpyInput(
  path: string,
  totalBytes: number,
  options: InputOptions & { readonly idPrefix: string; readonly unlabelled: boolean },
): Promise<Input> {
  const file = await openEncodings(path);
  if (options.labels === undefined && !options.unlabelled) {
    throw new LegonetError(
      'labels_missing',
      `${path} holds encodings alone: name the file of their labels with --labels FILE`,
    );
  }
  const labels =
    options.labels === undefined
      ? undefined
      : await openLabels(options.labels, file.rows, options.classes);
  const { from = 0, limit = Number.POSITIVE_INFINITY, batchRows = BATCH_ROWS } = options;
  return {
    format: 'npy',
    totalBytes,
    batches(signal) {
      const reader = readNpy(file, { idPrefix: options.idPrefix, from, limit, batchRows, labels });
      return batches(reader.groups, {
        firstRow: from,
        skip: 0,
        limit,
        batchRows,
        bytesRead: reader.bytesRead,
        signal,
      });
    },
  };
}

function formatOf(path: string): (typeof FORMATS)[number][1] {
  const name = path.toLowerCase();
  const found = FORMATS.find(([ending]) => name.endsWith(ending));
  if (found) return found[1];
  const endings = FORMATS.map(([ending]) => ending).join(', ');
  throw new LegonetError(
    'input_unsupported',
    `${path}: neither a folder nor one of ${endings}, ${ENDINGS}`,
  );
}

/** The base name without what says the format: `digits.csv.gz` is `digits`. */
function stem(path: string): string {
  return basename(path)
    .replace(/(\.gz)?$/i, '')
    .replace(/\.[^.]*$/, '');
}
