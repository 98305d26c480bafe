import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { LegonetError } from '../../errors.js';
import { LIMITS } from '../../events/record.js';
import { batches } from './batches.js';
import { fileSize } from './chunks.js';
import { walk } from './folder.js';
import {
  ENDINGS,
  type ImageFile,
  type ImageFiles,
  imagesIn,
  imagesNamed,
  labelOf,
  mediaTypeOf,
} from './image-files.js';
import type { Input, InputOptions, InputRow, RowGroup } from './rows.js';
import { textProblem } from './text.js';

/** Base64 has four characters for three bytes, and the rest of the event needs some room. */
const IMAGE_BYTES = Math.floor(((LIMITS.recordBytes - 4096) * 3) / 4);
const BATCH_ROWS = 1000;
/** So many files that are no images are told by name. */
const TOLD = 5;

/** One image, for which nothing says a label. Throws `labels_missing` unless none is needed. */
export async function openImage(path: string, options: InputOptions): Promise<Input> {
  const totalBytes = await fileSize(path);
  if (!options.unlabelled) {
    throw new LegonetError(
      'labels_missing',
      `${path}: nothing says its label: put it into a folder named after its class, and name the folder around that`,
    );
  }
  async function* files(): AsyncGenerator<ImageFile> {
    yield { path: basename(path), label: null };
  }
  const one = () => ({ files: files(), bytesRead: () => totalBytes });
  return opened(dirname(path), totalBytes, { idPrefix: '', ...options }, one);
}

/**
 * The images of a folder and of those in it, labelled by the folder of the first level; or, in its order,
 * those that `options.labels` names, a CSV. Throws `input_unsupported` where there are none,
 * `unknown_label` and `labels_missing`, and as `walk` does.
 */
export async function openImages(folder: string, options: InputOptions): Promise<Input> {
  const given = { idPrefix: `${basename(resolve(folder))}/`, ...options };
  const { labels } = options;
  if (labels !== undefined) {
    const totalBytes = await fileSize(labels);
    return opened(folder, totalBytes, given, () => imagesNamed(labels));
  }
  const { totalBytes, notes } = await survey(folder, options);
  return { ...opened(folder, totalBytes, given, () => imagesIn(folder)), notes };
}

function opened(
  folder: string,
  totalBytes: number,
  options: InputOptions & { readonly idPrefix: string },
  images: () => ImageFiles,
): Input {
  const { from = 0, limit = Number.POSITIVE_INFINITY, batchRows = BATCH_ROWS } = options;
  return {
    format: 'images',
    totalBytes,
    batches(signal) {
      const { files, bytesRead } = images();
      const groups = rowGroups(files, folder, options, from);
      return batches(groups, { firstRow: from, skip: 0, limit, batchRows, bytesRead, signal });
    },
  };
}

/** Looks at a folder before anything is made of it. */
async function survey(folder: string, { classes, unlabelled }: InputOptions) {
  const images = { count: 0, bytes: 0, labelled: 0 };
  const others: string[] = [];
  let left = 0;
  for await (const { path, bytes } of walk(folder)) {
    if (mediaTypeOf(path) === undefined) {
      if (++left <= TOLD) others.push(path);
      continue;
    }
    images.count++;
    images.bytes += bytes;
    const label = labelOf(path);
    if (label === null) continue;
    images.labelled++;
    if (!unlabelled && classes?.includes(label) === false) throw unknownLabel(folder, label);
  }
  if (images.count === 0) {
    throw new LegonetError('input_unsupported', `${folder}: no image in it (${ENDINGS})`);
  }
  if (images.labelled === 0 && !unlabelled) {
    throw new LegonetError(
      'labels_missing',
      `${folder}: put its images into folders named after their classes, or name a CSV with --labels FILE`,
    );
  }
  const more = left > TOLD ? ', …' : '';
  const notes = left > 0 ? [`${left} other files left out: ${others.join(', ')}${more}`] : [];
  return { totalBytes: images.bytes, notes };
}

const unknownLabel = (folder: string, label: string): LegonetError =>
  new LegonetError(
    'unknown_label',
    `${join(folder, label)}: not one of the model's classes. Name the folder whose folders are classes, or a CSV of labels with --labels FILE`,
  );

async function* rowGroups(
  files: AsyncIterable<ImageFile>,
  folder: string,
  options: InputOptions & { readonly idPrefix: string },
  from: number,
): AsyncGenerator<RowGroup> {
  let row = 0;
  for await (const image of files) {
    if (row >= from) yield await readImage(folder, image, options, row);
    row++;
  }
}

async function readImage(
  folder: string,
  { path, label, subjectId, problem }: ImageFile,
  { idPrefix, classes, unlabelled }: InputOptions & { readonly idPrefix: string },
  row: number,
): Promise<RowGroup> {
  const bad = (reason: string): RowGroup => ({
    rows: [{ kind: 'bad', row, reason: `${path}: ${reason}` }],
    bytes: 0,
  });
  const sampleId = `${idPrefix}${path}`;
  const known = label !== null && classes?.includes(label) !== false;
  const unfit = problem ?? textProblem(sampleId) ?? (subjectId && textProblem(subjectId));
  if (unfit) return bad(unfit);
  if (!known && !unlabelled) return bad("its label is not one of the model's classes");
  const mediaType = mediaTypeOf(path);
  if (mediaType === undefined) return bad(`is not one of ${ENDINGS}`);
  const file = join(folder, path);
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return bad('no such file');
  if (found.size > IMAGE_BYTES) {
    return bad(`has ${found.size} bytes, more than the ${IMAGE_BYTES} that an event takes`);
  }
  const bytes = await readFile(file).catch(() => null);
  if (!bytes) return bad('is unreadable');
  const input = { form: 'media', mediaType, bytes } as const;
  const sample: InputRow = {
    kind: 'input',
    sampleId,
    label: known ? label : null,
    ...(subjectId !== undefined && { subjectId }),
    input,
  };
  return { rows: [sample], bytes: bytes.length };
}
