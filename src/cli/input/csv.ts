import { type Columns, readColumns } from './csv-columns.js';
import { csvRecords } from './csv-records.js';
import { toNumber } from './number.js';
import type { InputRow, RowGroup } from './rows.js';
import { textProblem } from './text.js';

const GROUP_ROWS = 256;
const NUMBER_BYTES = 8;

export type CsvOptions = {
  /** Named in errors. */
  readonly name: string;
  readonly idPrefix: string;
  readonly unlabelled: boolean;
  /** A column named text holds texts. */
  readonly texts: boolean;
};

/** CSV (RFC 4180) with or without a header. Throws `input_malformed` or `labels_missing`. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<RowGroup> {
  let columns: Columns | undefined;
  let row = 0;
  let rows: InputRow[] = [];
  for await (const record of csvRecords(chunks, options.name)) {
    if (!columns) {
      const first = readColumns(record, options);
      columns = first.columns;
      if (first.header) continue;
    }
    rows.push(readRecord(record, columns, options.idPrefix, row));
    row++;
    if (rows.length === GROUP_ROWS) {
      yield { rows, bytes: bytesOf(rows, columns) };
      rows = [];
    }
  }
  if (rows.length > 0) yield { rows, bytes: 0 };
}

const bytesOf = (rows: readonly InputRow[], { count }: Columns): number =>
  rows.reduce((sum, row) => sum + (textBytes(row) ?? count * NUMBER_BYTES), 0);

const textBytes = (row: InputRow): number | undefined =>
  row.kind === 'input' && row.input.form === 'text' ? 2 * row.input.text.length : undefined;

function readRecord(
  record: readonly string[],
  columns: Columns,
  idPrefix: string,
  row: number,
): InputRow {
  const bad = (reason: string): InputRow => ({ kind: 'bad', row, reason });
  if (record.length !== columns.count) {
    return bad(`${record.length} fields, not ${columns.count}`);
  }
  const { features } = columns;
  const encoding = new Float64Array(features.length);
  for (let i = 0; i < features.length; i++) {
    const column = features[i] ?? 0;
    const value = toNumber(record[column] ?? '');
    if (!Number.isFinite(value)) return bad(`field ${column + 1} is not a finite number`);
    encoding[i] = value;
  }
  const field = (column: number | undefined) =>
    column === undefined ? undefined : (record[column] ?? '').trim();
  const label = field(columns.label) ?? null;
  const sampleId = field(columns.sampleId) ?? `${idPrefix}${row}`;
  // A sample need not belong to a subject.
  const subjectId = field(columns.subjectId) || undefined;
  const problem =
    describe('the label', label) ??
    describe('the sample id', sampleId) ??
    describe('the subject id', subjectId);
  if (problem !== undefined) return bad(problem);
  const named = { sampleId, label, ...(subjectId !== undefined && { subjectId }) };
  if (columns.text === undefined) return { kind: 'sample', ...named, encoding };
  const input = { form: 'text', text: record[columns.text] ?? '' } as const;
  return { kind: 'input', ...named, input };
}

function describe(what: string, text: string | null | undefined): string | undefined {
  if (text === null || text === undefined) return undefined;
  const problem = textProblem(text);
  return problem === undefined ? undefined : `${what} ${problem}`;
}
