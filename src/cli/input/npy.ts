import { LegonetError } from '../../errors.js';
import { LIMITS } from '../../model/configuration.js';
import type { Labels } from './labels.js';
import { type NpyFile, openFile, openNpy, readRows } from './npy-file.js';
import { decodeNumbers, NUMBER_TYPES, type NumberType } from './npy-values.js';
import type { Encoding, InputRow, RowGroup } from './rows.js';

const GROUP_BYTES = 4 * 1024 * 1024;

/** Opens a file of encodings [N, d]. Throws as openNpy does. */
export async function openEncodings(path: string): Promise<NpyFile<NumberType>> {
  const file = await openNpy(path, { dimensions: 2, types: NUMBER_TYPES });
  if (file.columns <= LIMITS.dimension) return file;
  throw new LegonetError(
    'input_unsupported',
    `${path}: ${file.columns} numbers in a row, more than ${LIMITS.dimension}`,
  );
}

export type NpyOptions = {
  readonly idPrefix: string;
  readonly from: number;
  readonly limit: number;
  readonly batchRows: number;
  readonly labels: Labels | undefined;
};

/** Rows of a file of encodings, from row `from` on. Groups throw `input_truncated`. */
export function readNpy(
  file: NpyFile<NumberType>,
  options: NpyOptions,
): { readonly groups: AsyncIterable<RowGroup>; readonly bytesRead: () => number } {
  const { from, limit, batchRows } = options;
  const end = Math.min(file.rows, from + limit);
  const step = Math.max(1, Math.min(batchRows, Math.floor(GROUP_BYTES / file.rowBytes)));
  let row = from;
  async function* groups(): AsyncGenerator<RowGroup> {
    if (row >= end) return;
    const handle = await openFile(file.path);
    const labels = await options.labels?.open(from).catch(async (error) => {
      await handle.close();
      throw error;
    });
    try {
      while (row < end) {
        const count = Math.min(step, end - row);
        const bytes = await readRows(handle, file, row, count);
        const texts = await labels?.take(count);
        const values = decodeNumbers(bytes, file.type, file.littleEndian);
        const rows: InputRow[] = [];
        for (let i = 0; i < count; i++) {
          const encoding = values.subarray(i * file.columns, (i + 1) * file.columns);
          const reason = problemOf(encoding, texts?.[i], options.labels);
          const sampleId = `${options.idPrefix}${row + i}`;
          const label = texts?.[i] ?? null;
          if (reason === undefined) rows.push({ kind: 'sample', sampleId, label, encoding });
          else rows.push({ kind: 'bad', row: row + i, reason });
        }
        row += count;
        yield { rows, bytes: values.byteLength };
      }
    } finally {
      await handle.close();
      await labels?.close();
    }
  }
  return { groups: groups(), bytesRead: () => file.dataStart + row * file.rowBytes };
}

function problemOf(
  encoding: Encoding,
  label: string | undefined,
  labels: Labels | undefined,
): string | undefined {
  if (labels && label === undefined) return labels.problem;
  // 0 · x is NaN for an infinite x and for NaN: one sum tells whether any is not finite.
  let sum = 0;
  for (let i = 0; i < encoding.length; i++) sum += 0 * (encoding[i] ?? 0);
  if (sum === 0) return undefined;
  const at = encoding.findIndex((value: number) => !Number.isFinite(value));
  return `number ${at + 1} is not finite`;
}
